import { choose } from "../api/choose.ts";
import type { Postgresql } from "../api/fields/postgresql.ts";
import { decoded } from "../kube/base64.ts";
import type { Credentials, Inputs, References } from "../model/inputs.ts";

/** One of MLflow's two databases: experiments and models, or users and permissions. */
export type DatabaseRole = "tracking" | "auth";

/** Returns the path of the mounted CA bundle of a database. */
export function databaseCaPath(role: DatabaseRole): string {
  return `/etc/mlflow/ca/${role}/ca.crt`;
}

/** Debian's bundle of public CAs in the project's image. libpq's default is a file in HOME. */
const publicCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/** Returns the CA bundle for the certificate of a database; undefined if the certificate is not verified. */
export function rootCertificateOf(database: Postgresql, role: DatabaseRole): string | undefined {
  if (database.ca !== undefined) return databaseCaPath(role);
  return sslModeOf(database).startsWith("verify-") ? publicCaBundle : undefined;
}

/** The SQLite file, on the volume. */
export const sqliteUri = "sqlite:////mlflow/data/mlflow.db";

/** Returns the SSL mode of a database: verify-full is the default if a CA is set. */
export function sslModeOf(database: Postgresql): NonNullable<Postgresql["sslMode"]> {
  return database.sslMode ?? (database.ca === undefined ? "prefer" : "verify-full");
}

/**
 * Returns the SQLAlchemy URI of a database. User and password are percent-encoded, so any characters work. The driver is explicit,
 * because SQLAlchemy 2.1 reads `postgresql://` as psycopg 3 and earlier versions read it as psycopg2.
 */
export function postgresqlUri(database: Postgresql, credentials: Credentials, role: DatabaseRole): string {
  const host = database.host.includes(":") ? `[${database.host}]` : database.host;
  const query = new URLSearchParams({ sslmode: sslModeOf(database) });
  const rootCertificate = rootCertificateOf(database, role);
  if (rootCertificate !== undefined) query.set("sslrootcert", rootCertificate);
  const user = `${percentEncoded(credentials.username)}:${percentEncoded(credentials.password)}`;
  return `postgresql+psycopg2://${user}@${host}:${database.port ?? 5432}/${percentEncoded(database.database)}?${query}`;
}

/** Encodes as encodeURIComponent does, and also the characters that it leaves as they are. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Returns user name and password of a database, or undefined while the Secret or a key is missing. */
export function databaseCredentials(database: Postgresql, references: References): Credentials | undefined {
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = database.credentialsSecretRef;
  const data = references.secrets.get(secretName)?.data;
  const username = decoded(data, usernameKey);
  const password = decoded(data, passwordKey);
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** Returns the URI of the tracking database, or undefined while its Secret is missing. */
export function trackingUri({ server, references }: Pick<Inputs, "server" | "references">): string | undefined {
  return choose(server.spec.backendStore, "spec.backendStore", {
    sqlite: (): string | undefined => sqliteUri,
    uriSecretRef: ({ name: secretName, key }) => decoded(references.secrets.get(secretName)?.data, key),
    postgresql: (postgresql) => uriOf(postgresql, references, "tracking"),
  });
}

/** The SQLite files of users and permissions, separate from the tracking database, because SQLite locks whole files. */
export const sqliteUserFiles: Readonly<Record<"basic-auth" | "oidc-auth", string>> = {
  "basic-auth": "sqlite:////mlflow/data/basic_auth.db",
  "oidc-auth": "sqlite:////mlflow/data/oidc_auth.db",
};

/** Returns the URI of the database of users: a separate one if the spec has one, otherwise that of the backend store. */
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
