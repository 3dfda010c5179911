import type { V1EnvVar } from "@kubernetes/client-node";
import type { CertificateAuthority } from "../../api/fields/reference.ts";
import { decoded } from "../../kube/base64.ts";
import { controlCharacters } from "../common/control-characters.ts";
import { caFileVolume, type Mounted } from "../common/mounted-volume.ts";
import { type Reference, secretReference } from "../common/reference.ts";
import { fromSecret, literal } from "../common/variable.ts";
import type { Content, DatabaseRole, Place, VariablePrefix } from "./database.ts";

/** The settings that all database servers have. */
interface ServerSettings {
  readonly host: string;
  readonly port?: number | undefined;
  readonly database: string;
  readonly credentialsSecretRef: {
    readonly name: string;
    readonly usernameKey?: string | undefined;
    readonly passwordKey?: string | undefined;
  };
}

/** User, password and address of a database. */
interface Connection {
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** The questions about a database server that do not depend on its kind. */
export interface DatabaseServer {
  readonly references: readonly Reference[];
  /** User, password and address; undefined while a Secret or a key is missing. */
  readonly connection: (content: Content) => Connection | undefined;
  readonly egressPorts: (content: Content) => number[];
  readonly problems: (content: Content) => string[];
  readonly address: (content: Content) => readonly unknown[];
  /** The variables of the migration program with the address. */
  readonly addressVariables: (prefix: VariablePrefix) => V1EnvVar[];
  /** Those with user name and password. */
  readonly credentialVariables: (prefix: VariablePrefix) => V1EnvVar[];
}

/** Returns what all kinds of database servers have in common. */
export function databaseServer(settings: ServerSettings, defaultPort: number, { path }: Place): DatabaseServer {
  const { host, port = defaultPort, database } = settings;
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = settings.credentialsSecretRef;
  const dataOf = ({ secrets }: Content) => secrets.get(secretName)?.data;
  return {
    references: [secretReference(secretName, [usernameKey, passwordKey], `${path}.credentialsSecretRef`)],
    connection: (content) => {
      const username = decoded(dataOf(content), usernameKey);
      const password = decoded(dataOf(content), passwordKey);
      return username === undefined || password === undefined
        ? undefined
        : { username, password, host, port, database };
    },
    egressPorts: () => [port],
    problems: (content) => [
      ...nameProblems(decoded(dataOf(content), usernameKey), usernameKey, secretName),
      ...(decoded(dataOf(content), passwordKey) === ""
        ? [`the key ${passwordKey} of Secret ${secretName} is empty: write the password`]
        : []),
    ],
    address: () => [host, port, database],
    addressVariables: (prefix) => [
      literal(`${prefix}_DATABASE_HOST`, host),
      literal(`${prefix}_DATABASE_PORT`, String(port)),
      literal(`${prefix}_DATABASE_NAME`, database),
    ],
    credentialVariables: (prefix) => [
      fromSecret(`${prefix}_DATABASE_USERNAME`, secretName, usernameKey),
      fromSecret(`${prefix}_DATABASE_PASSWORD`, secretName, passwordKey),
    ],
  };
}

/** A password can have any characters, but a line break in a user name is a mistake. */
function nameProblems(username: string | undefined, key: string, secretName: string): string[] {
  if (username === undefined || (username !== "" && !controlCharacters.test(username))) return [];
  return [
    `the key ${key} of Secret ${secretName} is empty or contains a line break: write the user name without one (printf, not echo)`,
  ];
}

/** Returns user, password, host, port and database as in a URI. User and password are percent-encoded, so any characters work. */
export function uriAddress({ username, password, host, port, database }: Connection): string {
  const user = `${percentEncoded(username)}:${percentEncoded(password)}`;
  return `${user}@${host.includes(":") ? `[${host}]` : host}:${port}/${percentEncoded(database)}`;
}

/** Encodes as encodeURIComponent does, and also the characters that it leaves as they are. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Debian's bundle of public CAs in the project's image. */
export const publicCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/** Returns the path of the mounted CA bundle of a database. */
export function caPathOf(role: DatabaseRole): string {
  return `/etc/mlflow/ca/${role}/ca.crt`;
}

/** Returns the CA bundle of a database as volume and references. */
export function caFiles(ca: CertificateAuthority | undefined, { role }: Place): Mounted[] {
  return ca === undefined ? [] : [caFileVolume(`ca-${role}`, ca, caPathOf(role))];
}
