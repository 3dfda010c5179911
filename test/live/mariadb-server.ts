import { type KeyPair, newCa, newCertificate } from "../control-plane/certificates.ts";
import { startDependency } from "./dependency.ts";
import { imageReference } from "./live-cluster.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { trickyPassword } from "./postgresql-server.ts";
import { waitUntil } from "./wait-until.ts";

/** A MariaDB server whose accounts need a client certificate. */
export interface MariadbServer {
  /** PEM of the CA that signed the certificates of server and client. */
  readonly ca: string;
  readonly client: KeyPair;
  /** Runs SQL as the superuser and returns the rows, with tabs between columns. */
  readonly sql: (statement: string) => Promise<string>;
}

/**
 * Starts MariaDB with the databases `mlflow` (utf8mb4) and `old` (latin1), and the user `mlflow`, with {@link trickyPassword}, who can
 * use both, with a client certificate only.
 */
export async function startMariadb(fixture: LiveFixture): Promise<MariadbServer> {
  const name = "mariadb";
  const ca = await newCa("databases");
  const server = await newCertificate(ca, { name, alternativeNames: [`DNS:${name}`] });
  const client = await newCertificate(ca, { name: "mlflow" });
  await startDependency(fixture, {
    name,
    port: 3306,
    container: {
      image: await imageReference(fixture.cluster, "mariadb"),
      env: [
        { name: "SERVER_CERTIFICATE", value: server.certificate },
        { name: "SERVER_KEY", value: server.key },
        { name: "CLIENT_CA", value: ca.certificate },
      ],
    },
    dataPath: "/var/lib/mysql",
    user: 999,
  });
  const sql: MariadbServer["sql"] = (statement) =>
    fixture.inPod(
      name,
      [
        "mariadb",
        "--no-defaults",
        "--default-character-set=utf8mb4",
        "--socket=/var/lib/mysql/socket",
        "--user=root",
        "-N",
      ],
      statement,
    );
  await waitUntil(() => sql("SELECT 1;"), 120);
  const literal = trickyPassword.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  await sql(`
    CREATE DATABASE mlflow CHARACTER SET utf8mb4;
    CREATE DATABASE old CHARACTER SET latin1;
    CREATE USER mlflow IDENTIFIED BY '${literal}' REQUIRE X509;
    GRANT ALL ON mlflow.* TO mlflow;
    GRANT ALL ON old.* TO mlflow;
  `);
  return { ca: ca.certificate, client, sql };
}
