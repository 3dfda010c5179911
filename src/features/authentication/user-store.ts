import { fromSecret, literal } from "../../kube/variable.ts";
import type { References } from "../../model/inputs.ts";
import { dataKeys } from "../../model/names.ts";
import type { Database } from "../database/database.ts";
import { type Administrator, type Authentication, authDirectory } from "./authentication.ts";

/** MLflow's users and permissions, with any password check. */
interface UserStore {
  /** The separate database of users; undefined for that of the backend store. */
  readonly separate: Database | undefined;
  readonly administrator: Administrator;
  /** The permission of users without one. */
  readonly defaultPermission: string;
  /** The Python function that authenticates a request. */
  readonly authorizationFunction: string;
  /** How long MLflow caches a successful password check, if it checks passwords itself. */
  readonly cacheSeconds: number;
}

/** Returns MLflow's application with users and permissions. */
export function userStore(store: UserStore, backend: Database, references: References): Authentication {
  const { separate, administrator } = store;
  const database = separate ?? backend.forUsers("basic-auth");
  const uri = database.uri(references);
  const variables = [
    fromSecret("MLFLOW_AUTH_ADMIN_USERNAME", administrator.secretName, administrator.usernameKey),
    fromSecret("MLFLOW_AUTH_ADMIN_PASSWORD", administrator.secretName, administrator.passwordKey),
  ];
  return {
    application: "basic-auth",
    env: [literal("MLFLOW_AUTH_CONFIG_PATH", `${authDirectory}/${dataKeys.basicAuthIni}`), ...variables],
    files: uri === undefined ? {} : { [dataKeys.basicAuthIni]: basicAuthIni(uri, store) },
    mounted: [],
    users: { application: "basic-auth", database, isSeparate: separate !== undefined, administrator: variables },
  };
}

/**
 * Returns the configuration of MLflow's basic authentication. Python's configparser expands `%`, so each one is doubled: a
 * password `p@` is `p%40` in the URI and `p%%40` here. The administrator's password is in the environment instead.
 */
function basicAuthIni(uri: string, { defaultPermission, authorizationFunction, cacheSeconds }: UserStore): string {
  return [
    "[mlflow]",
    `default_permission = ${defaultPermission}`,
    `database_uri = ${uri.replaceAll("%", "%%")}`,
    `authorization_function = ${authorizationFunction}`,
    // Every supported version has it; MLflow's default is 0, a hash for every request.
    `auth_cache_ttl_seconds = ${cacheSeconds}`,
    "",
  ].join("\n");
}
