import assert from "node:assert/strict";
import type { KeyPair } from "../control-plane/certificates.ts";
import { startDependency } from "./dependency.ts";
import { imageReference } from "./live-cluster.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** Characters with a special meaning in a URI, in Python's configparser, in a shell or in a Kubernetes variable. */
export const trickyPassword = `p@:/%#?&'" $\\x$(HOME)`;

/** A PostgreSQL server with the databases `mlflow` and `mlflow_auth`, each owned by a role of that name. */
export interface PostgresqlServer {
  /** `backendStore.postgresql` or `authentication.basic.database.postgresql` for one of the databases. */
  readonly database: (name: DatabaseName) => object;
  readonly setPassword: (role: DatabaseName, password: string) => Promise<void>;
  /** Serves new connections with TLS and this certificate, which is for the host `postgresql`. Existing connections continue. */
  readonly useCertificate: (pair: KeyPair) => Promise<void>;
  /** Runs SQL in a database and returns the rows in psql's unaligned format. */
  readonly sql: (database: string, statement: string) => Promise<string>;
}

export type DatabaseName = "mlflow" | "mlflow_auth";

/** Starts PostgreSQL with {@link trickyPassword} for both roles; their Secrets are `mlflow-db` and `mlflow-auth-db`. */
export async function startPostgresql(fixture: LiveFixture): Promise<PostgresqlServer> {
  const name = "postgresql";
  await startDependency(fixture, {
    name,
    port: 5432,
    container: {
      image: await imageReference(fixture.cluster, "postgres"),
      env: [{ name: "POSTGRES_PASSWORD", value: "of-the-superuser" }],
    },
    dataPath: "/var/lib/postgresql/data",
    user: 999,
  });
  const sql: PostgresqlServer["sql"] = (database, statement) =>
    fixture.inPod(
      name,
      ["psql", "-h", "/tmp", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-qtA"],
      statement,
    );
  const setPassword: PostgresqlServer["setPassword"] = async (role, password) => {
    await sql("postgres", `ALTER ROLE ${role} LOGIN PASSWORD '${password.replaceAll("'", "''")}';`);
  };
  const useCertificate: PostgresqlServer["useCertificate"] = async ({ certificate, key }) => {
    const folder = "/var/lib/postgresql/data";
    for (const [file, content] of Object.entries({ "tls.crt": certificate, "tls.key": key }))
      await fixture.inPod(name, ["sh", "-c", `umask 077 && cat >${folder}/${file}`], content);
    const files = `ALTER SYSTEM SET ssl_cert_file = '${folder}/tls.crt'; ALTER SYSTEM SET ssl_key_file = '${folder}/tls.key';`;
    await sql("postgres", `${files} ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf();`);
    // The server reloads after the answer.
    await waitUntil(async () => assert.equal(await sql("postgres", "SHOW ssl;"), "on\n"), 60);
  };
  await waitUntil(() => sql("postgres", "SELECT 1;"), 120);
  for (const role of ["mlflow", "mlflow_auth"] as const) {
    await sql("postgres", `CREATE ROLE ${role};`);
    await setPassword(role, trickyPassword);
    await sql("postgres", `CREATE DATABASE ${role} OWNER ${role};`);
    await fixture.objects.create("Secret", {
      metadata: { name: secretName(role) },
      stringData: { username: role, password: trickyPassword },
    });
  }
  const database: PostgresqlServer["database"] = (database) => ({
    host: name,
    database,
    credentialsSecretRef: { name: secretName(database) },
  });
  return { database, setPassword, useCertificate, sql };
}

/** The part of a spec for a server with its runs in one database and its users in the other. */
export function basicOn({ database }: PostgresqlServer) {
  return {
    backendStore: { postgresql: database("mlflow") },
    authentication: { basic: { database: { postgresql: database("mlflow_auth") } } },
  };
}

/** Returns the name of the Secret with the credentials of a role. */
export function secretName(role: DatabaseName): string {
  return `${role.replace("_", "-")}-db`;
}
