import type { V1EnvVar } from "@kubernetes/client-node";
import type { CertificateAuthority } from "../../api/fields/reference.ts";
import { decoded } from "../../kube/data.ts";
import { fromSecret, literal } from "../../kube/variable.ts";
import { dataKeys } from "../../model/names.ts";
import { caFileVolume, keyFiles, type Mounted } from "../common/mounted-volume.ts";
import { caReferences, type Reference, secretReference } from "../common/reference.ts";
import { certificateProblem, controlCharacters } from "../common/secret-problems.ts";
import type { Content, Database, Place } from "./database.ts";

/** The settings that all kinds of database servers have. */
interface ServerSettings {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly database?: string | undefined;
  readonly credentialsSecretRef: {
    readonly name: string;
    readonly usernameKey?: string | undefined;
    readonly passwordKey?: string | undefined;
    readonly hostKey?: string | undefined;
    readonly portKey?: string | undefined;
    readonly databaseKey?: string | undefined;
  };
  readonly readReplica?: { readonly host: string; readonly port?: number | undefined } | undefined;
}

/** What differs between kinds of database servers. */
interface Kind {
  readonly displayName: string;
  readonly defaultPort: number;
  /** SQLAlchemy's dialect and driver. */
  readonly driver: string;
  /** The part of the URI after `?`. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly tls: TlsFiles;
  /** What the identity contains in addition to the address. */
  readonly identity?: { readonly before?: readonly string[]; readonly after?: readonly string[] };
  /** Whether the programs of backups support it; default: true. */
  readonly hasBackups?: false;
}

/** Returns a database on a server whose URI the operator composes from the settings and the Secret. */
export function serverDatabase(settings: ServerSettings, place: Place, kind: Kind): Database {
  const { readReplica, credentialsSecretRef: secret } = settings;
  const { displayName, tls, identity, defaultPort } = kind;
  const server = new DatabaseServer(settings, kind);
  const database: Database = {
    displayName,
    references: [secretReference(secret.name, server.keys, `${place.path}.credentialsSecretRef`), ...tls.references],
    mounted: tls.mounted,
    isUriGenerated: true,
    hasBackups: () => kind.hasBackups ?? true,
    isIdentityInSecret: (secret.hostKey ?? secret.portKey ?? secret.databaseKey) !== undefined,
    uri: (content) => server.uri(content),
    ...(readReplica && { replicaUri: (content: Content) => server.uri(content, readReplica) }),
    uriVariable: (variable, generated) => fromSecret(variable, generated.name, generated.key),
    migrationVariables: (prefix) => server.variables(prefix),
    egressPorts: (content) => [
      ...ports(server.port(content)),
      ...(readReplica === undefined ? [] : [readReplica.port ?? defaultPort]),
    ],
    problems: (content) => [...server.problems(content), ...tls.problems(content)],
    identity: ({ references }) => [
      ...(identity?.before ?? []),
      ...server.address(references),
      ...(identity?.after ?? []),
    ],
    forUsers: () => database,
  };
  return database;
}

/** Where a database is, and with which credentials: from the settings, or from the keys of the Secret. */
class DatabaseServer {
  readonly #settings: ServerSettings;
  readonly #kind: Kind;
  readonly #usernameKey: string;
  readonly #passwordKey: string;

  constructor(settings: ServerSettings, kind: Kind) {
    const { usernameKey = "username", passwordKey = "password" } = settings.credentialsSecretRef;
    this.#settings = settings;
    this.#kind = kind;
    this.#usernameKey = usernameKey;
    this.#passwordKey = passwordKey;
  }

  /** The keys of the Secret that are read. */
  get keys(): string[] {
    const { hostKey, portKey, databaseKey } = this.#settings.credentialsSecretRef;
    return [this.#usernameKey, this.#passwordKey, hostKey, portKey, databaseKey].filter((key) => key !== undefined);
  }

  /** Undefined if a value is missing. */
  uri(content: Content, replica?: NonNullable<ServerSettings["readReplica"]>): string | undefined {
    const { driver, parameters, defaultPort } = this.#kind;
    const [host, , name] = this.address(content);
    const parts = {
      username: this.#value(content, this.#usernameKey),
      password: this.#value(content, this.#passwordKey),
      host: replica?.host ?? host,
      port: replica ? (replica.port ?? defaultPort) : this.port(content),
      name,
    };
    return isComplete(parts) ? `${driver}://${uriAddress(parts)}${queryOf(parameters)}` : undefined;
  }

  port(content: Content): number | string | undefined {
    const { port, credentialsSecretRef } = this.#settings;
    const { portKey } = credentialsSecretRef;
    return port ?? (portKey ? this.#value(content, portKey) : String(this.#kind.defaultPort));
  }

  address(content: Content): [host: string | undefined, port: number, name: string | undefined] {
    const { host, database, credentialsSecretRef } = this.#settings;
    const { hostKey, databaseKey } = credentialsSecretRef;
    const port = Number(this.port(content) ?? this.#kind.defaultPort);
    return [host ?? this.#value(content, hostKey), port, database ?? this.#value(content, databaseKey)];
  }

  /** The variables of the migration. In parts: running pods keep their own URI until the migration has succeeded. */
  variables(prefix: string): V1EnvVar[] {
    const { host, port, database, credentialsSecretRef } = this.#settings;
    const { name: secretName, hostKey, portKey, databaseKey } = credentialsSecretRef;
    const { driver, parameters, defaultPort } = this.#kind;
    const source = (variable: string, literalValue: string | undefined, key: string | undefined): V1EnvVar[] => {
      if (key !== undefined) return [fromSecret(variable, secretName, key)];
      return literalValue === undefined ? [] : [literal(variable, literalValue)];
    };
    return [
      literal(`${prefix}_DATABASE_DRIVER`, driver),
      ...source(`${prefix}_DATABASE_HOST`, host, hostKey),
      ...source(`${prefix}_DATABASE_PORT`, String(port ?? defaultPort), portKey),
      ...source(`${prefix}_DATABASE_NAME`, database, databaseKey),
      literal(`${prefix}_DATABASE_QUERY`, queryOf(parameters).slice(1)),
      fromSecret(`${prefix}_DATABASE_USERNAME`, secretName, this.#usernameKey),
      fromSecret(`${prefix}_DATABASE_PASSWORD`, secretName, this.#passwordKey),
    ];
  }

  /** The values in the Secret that cannot work. */
  problems(content: Content): string[] {
    const { name: secretName, hostKey, portKey, databaseKey } = this.#settings.credentialsSecretRef;
    const of = (key: string | undefined, problem: (text: string) => string | undefined): string[] => {
      const text = this.#value(content, key);
      const found = text === undefined ? undefined : problem(text);
      return found === undefined ? [] : [`the key ${key} of Secret ${secretName} ${found}`];
    };
    return [
      ...of(this.#usernameKey, (text) => lineProblem(text, "user name")),
      ...of(this.#passwordKey, passwordProblem),
      ...of(hostKey, hostProblem),
      ...of(portKey, portProblem),
      ...of(databaseKey, (text) => lineProblem(text, "name of the database")),
    ];
  }

  #value({ secrets }: Content, key: string | undefined): string | undefined {
    return key === undefined ? undefined : decoded(secrets.get(this.#settings.credentialsSecretRef.name)?.data, key);
  }
}

/** User, password and address of a database. */
interface Parts {
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly port: number | string;
  readonly name: string;
}

function isComplete(parts: { readonly [K in keyof Parts]: Parts[K] | undefined }): parts is Parts {
  return Object.values(parts).every((part) => part !== undefined);
}

/** User and password are percent-encoded, so any characters work. */
function uriAddress({ username, password, host, port, name }: Parts): string {
  const user = `${percentEncoded(username)}:${percentEncoded(password)}`;
  return `${user}@${host.includes(":") ? `[${host}]` : host}:${port}/${percentEncoded(name)}`;
}

/** Encodes as encodeURIComponent does, and also the characters that it leaves as they are. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function queryOf(parameters: Readonly<Record<string, string>>): string {
  return Object.keys(parameters).length === 0 ? "" : `?${new URLSearchParams(parameters)}`;
}

function ports(port: number | string | undefined): number[] {
  return port === undefined || portProblem(String(port)) !== undefined ? [] : [Number(port)];
}

/** A password can have any characters, but a line break in another value is a mistake. */
function lineProblem(text: string, what: string): string | undefined {
  return text === "" || controlCharacters.test(text)
    ? `is empty or contains a line break: write the ${what} without one (printf, not echo)`
    : undefined;
}

function passwordProblem(password: string): string | undefined {
  return password === "" ? "is empty: write the password" : undefined;
}

function hostProblem(host: string): string | undefined {
  return /^([\w]([\w.-]*[\w.])?|[\dA-Fa-f]*:[\dA-Fa-f]*:[\dA-Fa-f:.]*)$/.test(host)
    ? undefined
    : "is not a host name or address: write it without scheme, user, port and line break, or name another key in hostKey";
}

function portProblem(port: string): string | undefined {
  return /^[0-9]{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535
    ? undefined
    : "is not a port from 1 to 65535: correct it (printf, not echo), or name another key in portKey";
}

/** Debian's bundle of public CAs in the project's image. */
export const publicCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/** The files for TLS: CA bundle, client certificate and its key. */
export interface TlsFiles {
  readonly references: readonly Reference[];
  readonly mounted: readonly Mounted[];
  readonly problems: (content: Content) => string[];
  /** The paths of the files; undefined where the settings have none. */
  readonly ca: string | undefined;
  readonly certificate: { readonly path: string; readonly keyPath: string } | undefined;
}

/** Returns the files for TLS; `path` is the field of the spec with `ca` and `clientCertificateSecretRef`. */
export function tlsFiles(
  ca: CertificateAuthority | undefined,
  client: { readonly name: string } | undefined,
  path: string,
  { role }: Place,
): TlsFiles {
  const caPath = `/etc/mlflow/ca/${role}/ca.crt`;
  const clientPath = `/etc/mlflow/client/${role}`;
  const { certificate, privateKey } = dataKeys;
  const files = { [certificate]: certificate, [privateKey]: privateKey };
  return {
    references: [
      ...caReferences(ca, `${path}.ca`),
      ...(client ? [secretReference(client.name, Object.keys(files), `${path}.clientCertificateSecretRef`)] : []),
    ],
    mounted: [
      ...(ca ? [caFileVolume(`ca-${role}`, ca, caPath)] : []),
      ...(client ? [keyFiles(`client-${role}`, client.name, clientPath, files)] : []),
    ],
    problems: ({ secrets }) => {
      const problem = client && certificateProblem(client.name, secrets.get(client.name)?.data);
      return problem === undefined ? [] : [problem];
    },
    ca: ca && caPath,
    certificate: client && { path: `${clientPath}/${certificate}`, keyPath: `${clientPath}/${privateKey}` },
  };
}
