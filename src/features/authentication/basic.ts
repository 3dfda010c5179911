import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import type { Authentication as AuthenticationSpec } from "../../api/fields/authentication.ts";
import { dataKeys, objectNames } from "../../model/names.ts";
import { secretReference } from "../common/reference.ts";
import { separateUserDatabase } from "../database/index.ts";
import { type AuthenticationMethod, noSettings } from "./authentication.ts";
import { userStore } from "./user-store.ts";

const path = "spec.authentication.basic";

/** MLflow's basic authentication, with its own users and passwords. */
export function basicMethod(basic: NonNullable<AuthenticationSpec["basic"]>): AuthenticationMethod {
  const separate = separateUserDatabase(basic.database, `${path}.database`);
  const {
    name,
    usernameKey = dataKeys.username,
    passwordKey = dataKeys.password,
  } = basic.adminCredentialsSecretRef ?? {};
  const administrator = (server: string) => ({
    secretName: name ?? objectNames.admin(server),
    usernameKey,
    passwordKey,
    generated: name === undefined,
    canLogIn: true,
  });
  return {
    ...noSettings,
    displayName: "Basic",
    administrator,
    references: [
      ...(separate?.references ?? []),
      ...(name === undefined
        ? []
        : [secretReference(name, [usernameKey, passwordKey], `${path}.adminCredentialsSecretRef`)]),
    ],
    pod: (base, database) =>
      userStore(
        {
          separate,
          administrator: administrator(base.name),
          defaultPermission: basic.defaultPermission ?? "READ",
          authorizationFunction: "mlflow.server.auth:authenticate_request_basic_auth",
          cacheSeconds: secondsOf(basic.passwordCacheTTL ?? defaults.passwordCacheTTL),
        },
        database,
        base.references,
      ),
  };
}
