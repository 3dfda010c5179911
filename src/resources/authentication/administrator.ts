import type { V1EnvVar } from "@kubernetes/client-node";
import type { Authentication } from "../../api/fields/authentication.ts";
import type { MlflowServer } from "../../api/server.ts";
import { dataKeys, objectNames } from "../names.ts";
import { fromSecret } from "../pod/variable.ts";
import { type Reference, secretReference } from "../reference.ts";

/** A Secret of the user's with the first administrator's name and password. */
type OwnAdministrator = NonNullable<NonNullable<Authentication["basic"]>["adminCredentialsSecretRef"]>;

/** Where the first administrator's name and password stand, where MLflow keeps users of its own. */
export interface Administrator {
  readonly secretName: string;
  readonly usernameKey: string;
  readonly passwordKey: string;
  /** Whether the operator makes them up, since the spec names no Secret. */
  readonly generated: boolean;
  /** Whether it is somebody: with a directory, MLflow wants one to start with, and nobody can log in as it. */
  readonly canLogIn: boolean;
}

/** Undefined where MLflow keeps no users of its own. */
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

/** Name and password, by reference. */
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
