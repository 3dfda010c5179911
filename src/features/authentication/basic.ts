import { defaults } from "../../api/defaults.ts";
import type { Authentication as AuthenticationSpec } from "../../api/fields/authentication.ts";
import { secondsOf } from "../../api/quantity.ts";
import { decoded } from "../../kube/data.ts";
import { dataKeys, objectNames } from "../../model/names.ts";
import { secretReference } from "../common/reference.ts";
import { controlCharacters } from "../common/secret-problems.ts";
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
    unauthenticated: { publicPath: "/health", hasPasswords: true },
    administrator,
    references: [
      ...(separate?.references ?? []),
      ...(name === undefined
        ? []
        : [secretReference(name, [usernameKey, passwordKey], `${path}.adminCredentialsSecretRef`)]),
    ],
    problems: ({ secrets }) => {
      const data = secrets.get(name ?? "")?.data;
      const problem = administratorProblem(decoded(data, usernameKey), decoded(data, passwordKey));
      return problem === undefined
        ? []
        : [`Secret ${name}: the key ${problem.of === "username" ? usernameKey : passwordKey} ${problem.message}`];
    },
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

/** Returns why MLflow (3.16.1 and newer) would exit at startup because of the administrator's name or password. */
function administratorProblem(
  username: string | undefined,
  password: string | undefined,
): { readonly of: "username" | "password"; readonly message: string } | undefined {
  if (username === undefined || password === undefined) return undefined;
  const ofPassword = (message: string) => ({ of: "password", message }) as const;
  if (username === "" || controlCharacters.test(username) || username.includes(":"))
    return {
      of: "username",
      message: "is empty, or contains a colon or a line break, which basic authentication does not support",
    };
  if (password === "password1234")
    return ofPassword("is MLflow's previous default, which is publicly known: choose another");
  if (password.length < 12)
    return ofPassword("has fewer than 12 characters, which MLflow rejects: choose a longer one");
  return controlCharacters.test(password)
    ? ofPassword("contains a line break or another control character: write it without one (printf, not echo)")
    : undefined;
}
