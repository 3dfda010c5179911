import type { Mssql } from "../../api/fields/mssql.ts";
import type { Database, Place } from "./database.ts";
import { serverDatabase, tlsFiles } from "./database-server.ts";

/** Returns a Microsoft SQL Server database. */
export function mssqlDatabase({ encryption = "require", ...settings }: Mssql, place: Place): Database {
  return serverDatabase(settings, place, {
    displayName: "SQL Server",
    defaultPort: 1433,
    driver: "mssql+pymssql",
    // TDS 7.4 is the protocol of SQL Server 2012 and later. Otherwise the driver also tries protocols that have no TLS.
    parameters: { encryption, tds_version: "7.4" },
    // The driver has no parameter for a CA bundle: it reads the path from the configuration file of FreeTDS in the image.
    tls: tlsFiles(undefined, undefined, place.path, place),
    identity: { before: ["mssql"] },
    hasBackups: false,
  });
}
