import type { Postgresql } from "../../api/fields/postgresql.ts";
import type { Database, Place } from "./database.ts";
import { publicCaBundle, serverDatabase, type TlsFiles, tlsFiles } from "./database-server.ts";

/** Returns a PostgreSQL database. */
export function postgresqlDatabase(settings: Postgresql, place: Place): Database {
  const { ca, clientCertificateSecretRef, searchPath } = settings;
  const tls = tlsFiles(ca, clientCertificateSecretRef, place.path, place);
  return serverDatabase(settings, place, {
    displayName: "PostgreSQL",
    defaultPort: 5432,
    // The driver is explicit, because SQLAlchemy 2.1 reads `postgresql://` as psycopg 3 and earlier versions read it as psycopg2.
    driver: "postgresql+psycopg2",
    parameters: parametersOf(settings, tls),
    tls,
    ...(searchPath !== undefined && { identity: { after: [searchPath] } }),
  });
}

/** Returns the parameters of libpq. verify-full is the default if a CA is set. */
function parametersOf({ sslMode, searchPath }: Postgresql, { ca, certificate }: TlsFiles): Record<string, string> {
  const sslmode = sslMode ?? (ca === undefined ? "prefer" : "verify-full");
  // libpq's default is a file in HOME.
  const sslrootcert = ca ?? (sslmode.startsWith("verify-") ? publicCaBundle : undefined);
  return {
    sslmode,
    ...(sslrootcert !== undefined && { sslrootcert }),
    ...(certificate && { sslcert: certificate.path, sslkey: certificate.keyPath }),
    ...(searchPath !== undefined && { options: `-csearch_path=${searchPath}` }),
  };
}
