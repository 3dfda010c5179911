import type { Authentication as AuthenticationSpec } from "../../api/fields/authentication.ts";
import { userDatabaseUri } from "../database.ts";
import type { Inputs } from "../inputs.ts";
import { dataKeys } from "../names.ts";
import { literal } from "../pod/variable.ts";
import { databaseReferences, type Reference } from "../reference.ts";
import { administratorReferences, administratorVariables } from "./administrator.ts";
import { type Authentication, authDirectory } from "./authentication.ts";

type Basic = NonNullable<AuthenticationSpec["basic"]>;

/** MLflow's own users, with passwords. */
export function basicAuthentication(inputs: Inputs, { database, defaultPermission }: Basic): Authentication {
  const uri = userDatabaseUri(inputs, database?.postgresql);
  const administrator = administratorVariables(inputs.server);
  return {
    args: ["--app-name", "basic-auth"],
    env: [literal("MLFLOW_AUTH_CONFIG_PATH", `${authDirectory}/${dataKeys.basicAuthIni}`), ...administrator],
    files: uri === undefined ? {} : { [dataKeys.basicAuthIni]: basicAuthIni(uri, defaultPermission ?? "READ") },
    mounted: [],
    users: { postgresql: database?.postgresql, administrator },
  };
}

/** The Secrets and ConfigMaps that it needs. */
export function basicReferences({ database, admin }: Basic): Reference[] {
  const path = "spec.authentication.basic";
  return [
    ...databaseReferences(database?.postgresql, `${path}.database.postgresql`),
    ...administratorReferences(admin, `${path}.admin`),
  ];
}

/**
 * The configuration of MLflow's basic authentication. Python's configparser expands `%`, so each one is doubled: a
 * password `p@` is `p%40` in the URI and `p%%40` here. The administrator's password is not in it but in the environment.
 */
export function basicAuthIni(databaseUri: string, defaultPermission: string): string {
  return [
    "[mlflow]",
    `default_permission = ${defaultPermission}`,
    `database_uri = ${databaseUri.replaceAll("%", "%%")}`,
    "authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
    "",
  ].join("\n");
}
