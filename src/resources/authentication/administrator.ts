import type { V1EnvVar } from "@kubernetes/client-node";
import type { MlflowServer } from "../../api/server.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import { dataKeys, objectNames } from "../names.ts";
import { fromSecret } from "../pod/variable.ts";
import { type Reference, secretReference } from "../reference.ts";

/** The first administrator, where MLflow keeps users of its own. */
export interface Administrator {
  /** The user's Secret with name and password; undefined: the operator generates one. */
  readonly secretName: string | undefined;
}

/** Undefined where MLflow keeps no users of its own. */
export function administratorOf({ authentication }: MlflowServerSpec): Administrator | undefined {
  const { basic } = authentication;
  return basic && { secretName: basic.admin?.secretName };
}

/** Whether the first administrator is generated, since MLflow keeps users and the spec names no Secret for one. */
export function generatesAdministrator(spec: MlflowServerSpec): boolean {
  const administrator = administratorOf(spec);
  return administrator !== undefined && administrator.secretName === undefined;
}

/** The Secret with the first administrator's name and password. */
export function administratorSecretName({ metadata, spec }: MlflowServer): string | undefined {
  const administrator = administratorOf(spec);
  return administrator && (administrator.secretName ?? objectNames.admin(metadata.name));
}

/** Name and password, by reference. */
export function administratorVariables(server: MlflowServer): V1EnvVar[] {
  const secretName = administratorSecretName(server);
  if (secretName === undefined) return [];
  return [
    fromSecret("MLFLOW_AUTH_ADMIN_USERNAME", secretName, dataKeys.username),
    fromSecret("MLFLOW_AUTH_ADMIN_PASSWORD", secretName, dataKeys.password),
  ];
}

export function administratorReferences(admin: { secretName: string } | undefined, path: string): Reference[] {
  return admin === undefined ? [] : [secretReference(admin.secretName, [dataKeys.username, dataKeys.password], path)];
}
