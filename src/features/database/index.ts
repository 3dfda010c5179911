import { choose } from "../../api/choose.ts";
import type { BackendStore } from "../../api/fields/backend-store.ts";
import type { Mssql } from "../../api/fields/mssql.ts";
import type { Mysql } from "../../api/fields/mysql.ts";
import type { Postgresql } from "../../api/fields/postgresql.ts";
import type { SecretKey } from "../../api/fields/reference.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Database, DatabaseRole } from "./database.ts";
import { mssqlDatabase } from "./mssql.ts";
import { mysqlDatabase } from "./mysql.ts";
import { postgresqlDatabase } from "./postgresql.ts";
import { sqliteDatabase } from "./sqlite.ts";
import { uriDatabase } from "./uri.ts";

/** The kinds of databases, by the field that selects them. */
function kinds(path: string, role: DatabaseRole) {
  const at = (field: string) => ({ path: `${path}.${field}`, role });
  return {
    sqlite: (settings: NonNullable<BackendStore["sqlite"]>) => sqliteDatabase(settings),
    postgresql: (settings: Postgresql) => postgresqlDatabase(settings, at("postgresql")),
    mysql: (settings: Mysql) => mysqlDatabase(settings, at("mysql")),
    mssql: (settings: Mssql) => mssqlDatabase(settings, at("mssql")),
    uriSecretRef: (settings: SecretKey) => uriDatabase(settings, at("uriSecretRef")),
  } as const;
}

/** Returns the database of experiments, runs, traces and models. */
export function backendDatabase({ backendStore }: Pick<MlflowServerSpec, "backendStore">): Database {
  return choose(backendStore, "spec.backendStore", kinds("spec.backendStore", "tracking"));
}

/** The field `database` of an authentication method. */
export interface UserDatabaseSettings {
  readonly postgresql: Postgresql;
}

/** Returns the separate database of users and permissions, if the spec has one. `path` is that of the field `database`. */
export function separateUserDatabase(settings: UserDatabaseSettings | undefined, path: string): Database | undefined {
  return settings && choose(settings, path, kinds(path, "auth"));
}
