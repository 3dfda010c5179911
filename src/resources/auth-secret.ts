import type { Secret } from "../kube/manifests.ts";
import { authUri } from "./database.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { dataKeys, objectNames } from "./names.ts";
import { secret } from "./secret.ts";

/** basic_auth.ini. A Secret, since the database URI in it carries a password. */
export function authSecret(inputs: Inputs): Secret | undefined {
  const { server } = inputs;
  const uri = authUri(inputs);
  if (server.spec.authentication.basic === undefined || uri === undefined) return undefined;
  return secret(ownedMetadata(server, objectNames.auth(server.metadata.name)), {
    [dataKeys.basicAuthIni]: basicAuthIni(uri, server.spec.authentication.basic.defaultPermission ?? "READ"),
  });
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
