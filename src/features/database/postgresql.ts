import type { Postgresql } from "../../api/fields/postgresql.ts";
import { caReferences } from "../common/reference.ts";
import { fromSecret, literal } from "../common/variable.ts";
import type { Database, Place } from "./database.ts";
import { caFiles, caPathOf, databaseServer, publicCaBundle, uriAddress } from "./database-server.ts";

/** Returns a PostgreSQL database. */
export function postgresqlDatabase(settings: Postgresql, place: Place): Database {
  const server = databaseServer(settings, 5432, place);
  const parameters = parametersOf(settings, place);
  const database: Database = {
    ...server,
    displayName: "PostgreSQL",
    references: [...server.references, ...caReferences(settings.ca, `${place.path}.ca`)],
    mounted: caFiles(settings.ca, place),
    isUriGenerated: true,
    isIdentityInSecret: false,
    // The driver is explicit, because SQLAlchemy 2.1 reads `postgresql://` as psycopg 3 and earlier versions read it as psycopg2.
    uri: (content) => {
      const connection = server.connection(content);
      return connection && `postgresql+psycopg2://${uriAddress(connection)}?${new URLSearchParams(parameters)}`;
    },
    uriVariable: (name, generated) => fromSecret(name, generated.name, generated.key),
    // In parts: running pods keep their own URI until the migration has succeeded.
    migrationVariables: (prefix) => [
      ...server.addressVariables(prefix),
      ...Object.entries(parameters).map(([name, value]) => literal(`${prefix}_DATABASE_${name.toUpperCase()}`, value)),
      ...server.credentialVariables(prefix),
    ],
    identity: ({ references }) => server.address(references),
    forUsers: () => database,
  };
  return database;
}

/** Returns the parameters of libpq. verify-full is the default if a CA is set. */
function parametersOf({ sslMode, ca }: Postgresql, { role }: Place): Readonly<Record<string, string>> {
  const sslmode = sslMode ?? (ca === undefined ? "prefer" : "verify-full");
  if (ca !== undefined) return { sslmode, sslrootcert: caPathOf(role) };
  // libpq's default is a file in HOME.
  return sslmode.startsWith("verify-") ? { sslmode, sslrootcert: publicCaBundle } : { sslmode };
}
