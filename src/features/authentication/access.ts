import type { AccessGrant } from "../../api/fields/access.ts";
import { dataKeys } from "../../model/names.ts";
import type { Authentication } from "./authentication.ts";

/** A grant as python/src/mlflow_operator/grants.py reads it. */
interface GrantInFile {
  readonly permission: AccessGrant["permission"];
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly experiments: readonly string[];
  readonly registeredModels: readonly string[];
}

/**
 * Returns the authentication with the file of the grants. It is in a Secret, not in a ConfigMap: users who can write ConfigMaps must
 * not be able to grant themselves access.
 */
export function withAccess(authentication: Authentication, access: readonly AccessGrant[] | undefined): Authentication {
  if (access === undefined) return authentication;
  const text = JSON.stringify({ grants: access.map(grantInFile) });
  return { ...authentication, files: { ...authentication.files, [dataKeys.access]: text } };
}

function grantInFile({ permission, subjects, experiments = [], registeredModels = [] }: AccessGrant): GrantInFile {
  const named = (kind: "User" | "Group") => subjects.filter((each) => each.kind === kind).map(({ name }) => name);
  return { permission, users: named("User"), groups: named("Group"), experiments, registeredModels };
}
