import { choose } from "../../api/choose.ts";
import type { Postgresql } from "../../api/fields/postgresql.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Database } from "./database.ts";
import { postgresqlDatabase } from "./postgresql.ts";
import { sqliteDatabase } from "./sqlite.ts";
import { uriDatabase } from "./uri.ts";

/** Returns the database of experiments, runs, traces and models. */
export function backendDatabase({ backendStore }: Pick<MlflowServerSpec, "backendStore">): Database {
  const place = (field: keyof typeof backendStore) =>
    ({ path: `spec.backendStore.${field}`, role: "tracking" }) as const;
  return choose(backendStore, "spec.backendStore", {
    sqlite: (settings): Database => sqliteDatabase(settings),
    postgresql: (settings) => postgresqlDatabase(settings, place("postgresql")),
    uriSecretRef: (settings) => uriDatabase(settings, place("uriSecretRef")),
  });
}

/** Returns the separate database of users and permissions, if the spec has one. `path` is that of the field `database`. */
export function separateUserDatabase(
  settings: { readonly postgresql?: Postgresql | undefined } | undefined,
  path: string,
): Database | undefined {
  if (settings === undefined) return undefined;
  return choose(settings, path, {
    postgresql: (postgresql) => postgresqlDatabase(postgresql, { path: `${path}.postgresql`, role: "auth" }),
  });
}
