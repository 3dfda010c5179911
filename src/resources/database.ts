import type { Postgresql } from "../api/fields/postgresql.ts";
import { decoded } from "./base64.ts";
import { choose } from "./choose.ts";
import type { Credentials, Inputs, References } from "./inputs.ts";

/** Which of MLflow's two databases: experiments and models, or users and permissions. */
export type DatabaseRole = "tracking" | "auth";

/** Where the CA of a database is mounted. */
export function databaseCaPath(role: DatabaseRole): string {
  return `/etc/mlflow/ca/${role}/ca.crt`;
}

/** Debian's bundle of public authorities, which our image has. libpq itself would look for a file in HOME. */
const publicCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/** The file of authorities that a database's certificate is checked against; undefined where it is not checked. */
export function rootCertificateOf(database: Postgresql, role: DatabaseRole): string | undefined {
  if (database.ca !== undefined) return databaseCaPath(role);
  return sslModeOf(database).startsWith("verify-") ? publicCaBundle : undefined;
}

/** The SQLite file, on the volume. */
export const sqliteUri = "sqlite:////mlflow/data/mlflow.db";

/** The SSL mode that is in force: a CA without a mode is there to be checked against. */
export function sslModeOf(database: Postgresql): NonNullable<Postgresql["sslMode"]> {
  return database.sslMode ?? (database.ca === undefined ? "prefer" : "verify-full");
}

/**
 * The SQLAlchemy URI of a database. User and password are percent-encoded, so any characters work. The driver is named,
 * since SQLAlchemy 2.1 reads a plain `postgresql://` as psycopg 3 and earlier ones as psycopg2.
 */
export function postgresqlUri(database: Postgresql, credentials: Credentials, role: DatabaseRole): string {
  const host = database.host.includes(":") ? `[${database.host}]` : database.host;
  const query = new URLSearchParams({ sslmode: sslModeOf(database) });
  const rootCertificate = rootCertificateOf(database, role);
  if (rootCertificate !== undefined) query.set("sslrootcert", rootCertificate);
  const user = `${percentEncoded(credentials.username)}:${percentEncoded(credentials.password)}`;
  return `postgresql+psycopg2://${user}@${host}:${database.port ?? 5432}/${percentEncoded(database.database)}?${query}`;
}

/** As encodeURIComponent, and also what that leaves alone: SQLAlchemy's parser need not know about any of them. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** User name and password of a database, or undefined while the Secret or a key is missing. */
export function databaseCredentials(database: Postgresql, references: References): Credentials | undefined {
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = database.credentialsSecretRef;
  const data = references.secrets.get(secretName)?.data;
  const username = decoded(data, usernameKey);
  const password = decoded(data, passwordKey);
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** The URI of the tracking database, or undefined while what it needs is missing. */
export function trackingUri({ server, references }: Pick<Inputs, "server" | "references">): string | undefined {
  return choose(server.spec.backendStore, "spec.backendStore", {
    sqlite: (): string | undefined => sqliteUri,
    uriSecretRef: ({ name: secretName, key }) => decoded(references.secrets.get(secretName)?.data, key),
    postgresql: (postgresql) => uriOf(postgresql, references, "tracking"),
  });
}

/**
 * The SQLite file of users and permissions: MLflow's two schemas share no file, since SQLite locks a whole one. The plugin for OpenID Connect has a schema of its own, so it has another.
 */
export const sqliteUserFiles: Readonly<Record<"basic-auth" | "oidc-auth", string>> = {
  "basic-auth": "sqlite:////mlflow/data/basic_auth.db",
  "oidc-auth": "sqlite:////mlflow/data/oidc_auth.db",
};

/** The URI of the database of users: its own, else the backend store's. */
export function userDatabaseUri(
  inputs: Pick<Inputs, "server" | "references">,
  own: Postgresql | undefined,
  application: "basic-auth" | "oidc-auth" = "basic-auth",
): string | undefined {
  if (own !== undefined) return uriOf(own, inputs.references, "auth");
  return inputs.server.spec.backendStore.sqlite === undefined ? trackingUri(inputs) : sqliteUserFiles[application];
}

function uriOf(database: Postgresql | undefined, references: References, role: DatabaseRole): string | undefined {
  const credentials = database && databaseCredentials(database, references);
  return database && credentials && postgresqlUri(database, credentials, role);
}
