import { literal } from "../../features/common/variable.ts";
import type { UserDatabaseSettings } from "../../features/database/index.ts";
import type { Inputs } from "../../model/inputs.ts";
import { dataKeys } from "../../model/names.ts";
import { administratorVariables } from "./administrator.ts";
import { type Authentication, authDirectory } from "./authentication.ts";
import { userDatabase } from "./user-database.ts";

/** The fields of the spec for MLflow's user store, with any password check. */
interface UserStore {
  readonly defaultPermission?: "READ" | "EDIT" | "MANAGE" | "NO_PERMISSIONS" | undefined;
  readonly database?: UserDatabaseSettings | undefined;
  /** The field of the spec with these settings. */
  readonly path: string;
}

/**
 * Returns MLflow's application with users and permissions; `authorizationFunction` authenticates a request. MLflow caches a
 * successful password check for `cacheSeconds`, if it checks passwords itself.
 */
export function withUserStore(
  inputs: Inputs,
  store: UserStore,
  authorizationFunction: string,
  cacheSeconds = 0,
): Authentication {
  const users = userDatabase(inputs, store.database, `${store.path}.database`, "basic-auth");
  const uri = users.database.uri(inputs.references);
  const administrator = administratorVariables(inputs.server);
  const ini = uri && basicAuthIni(uri, store.defaultPermission ?? "READ", authorizationFunction, cacheSeconds);
  return {
    application: "basic-auth",
    env: [literal("MLFLOW_AUTH_CONFIG_PATH", `${authDirectory}/${dataKeys.basicAuthIni}`), ...administrator],
    files: ini === undefined ? {} : { [dataKeys.basicAuthIni]: ini },
    mounted: [],
    users: { ...users, administrator },
  };
}

/**
 * Returns the configuration of MLflow's basic authentication. Python's configparser expands `%`, so each one is doubled: a
 * password `p@` is `p%40` in the URI and `p%%40` here. The administrator's password is in the environment instead.
 */
function basicAuthIni(
  databaseUri: string,
  defaultPermission: string,
  authorizationFunction: string,
  cacheSeconds: number,
): string {
  return [
    "[mlflow]",
    `default_permission = ${defaultPermission}`,
    `database_uri = ${databaseUri.replaceAll("%", "%%")}`,
    `authorization_function = ${authorizationFunction}`,
    // Every supported version has it; MLflow's default is 0, a hash for every request.
    `auth_cache_ttl_seconds = ${cacheSeconds}`,
    "",
  ].join("\n");
}
