import type { V1EnvVar } from "@kubernetes/client-node";
import type { Authentication } from "../../api/fields/authentication.ts";
import type { MlflowServer } from "../../api/server.ts";
import { type Reference, secretReference } from "../../features/common/reference.ts";
import { fromSecret } from "../../features/common/variable.ts";
import { dataKeys, objectNames } from "../../model/names.ts";

/** The user's Secret with the first administrator's name and password. */
type OwnAdministrator = NonNullable<NonNullable<Authentication["basic"]>["adminCredentialsSecretRef"]>;

/** The Secret with the first administrator's name and password, if MLflow has its own users. */
export interface Administrator {
  readonly secretName: string;
  readonly usernameKey: string;
  readonly passwordKey: string;
  /** Whether the operator generates them, because the spec references no Secret. */
  readonly generated: boolean;
  /** Whether the administrator can log in: with LDAP, MLflow requires one to start, but it cannot log in. */
  readonly canLogIn: boolean;
}

/** Returns the first administrator of a server; undefined if MLflow has no users of its own. */
export function administratorOf({ metadata, spec }: MlflowServer): Administrator | undefined {
  const { basic, ldap } = spec.authentication;
  if (basic === undefined && ldap === undefined) return undefined;
  const own = basic?.adminCredentialsSecretRef;
  return {
    secretName: own?.name ?? objectNames.admin(metadata.name),
    usernameKey: own?.usernameKey ?? dataKeys.username,
    passwordKey: own?.passwordKey ?? dataKeys.password,
    generated: own === undefined,
    canLogIn: basic !== undefined,
  };
}

/** Returns the variables with name and password, by reference. */
export function administratorVariables(server: MlflowServer): V1EnvVar[] {
  const administrator = administratorOf(server);
  if (administrator === undefined) return [];
  const { secretName, usernameKey, passwordKey } = administrator;
  return [
    fromSecret("MLFLOW_AUTH_ADMIN_USERNAME", secretName, usernameKey),
    fromSecret("MLFLOW_AUTH_ADMIN_PASSWORD", secretName, passwordKey),
  ];
}

export function administratorReferences(admin: OwnAdministrator | undefined, path: string): Reference[] {
  if (admin === undefined) return [];
  const { name: secretName, usernameKey = dataKeys.username, passwordKey = dataKeys.password } = admin;
  return [secretReference(secretName, [usernameKey, passwordKey], path)];
}
