import type { BackendStore } from "../../api/fields/backend-store.ts";
import { literal } from "../../kube/variable.ts";
import type { Database, UserApplication } from "./database.ts";

/** The files of users and permissions, separate from the tracking database, because SQLite locks whole files. */
const userFiles: Readonly<Record<UserApplication, string>> = {
  "basic-auth": "basic_auth.db",
  "oidc-auth": "oidc_auth.db",
};

/** Returns a SQLite file on the server's volume. */
export function sqliteDatabase(settings: NonNullable<BackendStore["sqlite"]>): Database {
  return fileDatabase(settings, "mlflow.db");
}

function fileDatabase(settings: NonNullable<BackendStore["sqlite"]>, file: string): Database {
  const uri = `sqlite:////mlflow/data/${file}`;
  return {
    displayName: "SQLite",
    volume: settings,
    references: [],
    mounted: [],
    isUriGenerated: false,
    hasBackups: () => true,
    isIdentityInSecret: false,
    uri: () => uri,
    uriVariable: (name) => literal(name, uri),
    migrationVariables: (prefix) => [literal(`${prefix}_DATABASE_URI`, uri)],
    egressPorts: () => [],
    problems: () => [],
    identity: ({ volumeUid }) => ["sqlite", volumeUid],
    forUsers: (application) => fileDatabase(settings, userFiles[application]),
  };
}
