import type { Postgresql } from "../../api/fields/postgresql.ts";
import { userDatabaseUri } from "../database.ts";
import type { Inputs } from "../inputs.ts";
import { dataKeys } from "../names.ts";
import { literal } from "../pod/variable.ts";
import { administratorVariables } from "./administrator.ts";
import { type Authentication, authDirectory } from "./authentication.ts";

/** What the spec says of the users that MLflow keeps, whoever checks their passwords. */
interface UserStore {
  readonly defaultPermission?: "READ" | "EDIT" | "MANAGE" | "NO_PERMISSIONS" | undefined;
  readonly database?: { readonly postgresql: Postgresql } | undefined;
}

/**
 * MLflow's application that keeps users and permissions; `authorizationFunction` says who a request is from. For
 * `cacheSeconds` MLflow does not check a password again, where it checks passwords itself.
 */
export function withUserStore(
  inputs: Inputs,
  store: UserStore,
  authorizationFunction: string,
  cacheSeconds = 0,
): Authentication {
  const uri = userDatabaseUri(inputs, store.database?.postgresql);
  const administrator = administratorVariables(inputs.server);
  const ini = uri && basicAuthIni(uri, store.defaultPermission ?? "READ", authorizationFunction, cacheSeconds);
  return {
    application: "basic-auth",
    env: [literal("MLFLOW_AUTH_CONFIG_PATH", `${authDirectory}/${dataKeys.basicAuthIni}`), ...administrator],
    files: ini === undefined ? {} : { [dataKeys.basicAuthIni]: ini },
    mounted: [],
    users: { application: "basic-auth", postgresql: store.database?.postgresql, administrator },
  };
}

/**
 * The configuration of MLflow's basic authentication. Python's configparser expands `%`, so each one is doubled: a
 * password `p@` is `p%40` in the URI and `p%%40` here. The administrator's password is not in it but in the environment.
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
