import type { CustomResource } from "../api/definitions.ts";
import { unsupportedFields } from "../api/unsupported-fields.ts";
import type { OwnKind } from "../kube/kinds.ts";
import type { Cause } from "./cause.ts";
import type { Cluster } from "./cluster.ts";

/** Why a spec must not be applied as the API server returns it. */
export interface SpecProblem {
  readonly cause: Cause;
  /**
   * Whether the API server still stores fields that it does not return: any write to the object, including its status, would remove
   * them permanently.
   */
  readonly isHidden: boolean;
}

/** The time in which fields that the API server does not return may reappear: a changed CustomResourceDefinition takes effect with a delay. */
export const hiddenSeconds = 30;

/** A custom resource of the operator, as the cache has it. */
type Resource = Pick<CustomResource, "apiVersion" | "kind" | "metadata" | "spec" | "pruned">;

/** The problem of a spec, or undefined if all its fields are present and supported. */
export async function specProblem(
  cluster: Pick<Cluster, "skew" | "violations" | "secondsPruned">,
  kind: OwnKind,
  object: Resource,
): Promise<SpecProblem | undefined> {
  const { pruned = [], spec } = object;
  const { missing, isSame } = await cluster.skew(kind);
  if (missing.length > 0) return { cause: outdated(kind, missing), isHidden: pruned.length > 0 };
  if (pruned.length > 0)
    return { cause: prunedCause(kind, pruned), isHidden: cluster.secondsPruned(object) < hiddenSeconds };
  const unsupported = unsupportedFields(kind, spec);
  const found = unsupported.length > 0 || isSame ? unsupported : await cluster.violations(kind, object);
  const cause = unsupportedCause(kind, found);
  return cause && { cause, isHidden: false };
}

function outdated(kind: OwnKind, missing: readonly string[]): Cause {
  return {
    reason: "CustomResourceDefinitionOutdated",
    message: `The CustomResourceDefinition of ${kind} is older than the operator: it does not have ${listed(missing)}. Specs may have lost fields, so the operator changes nothing; what runs keeps running. Apply the CustomResourceDefinitions of this operator, then apply this ${kind} again.`,
  };
}

function prunedCause(kind: OwnKind, pruned: readonly string[]): Cause {
  return {
    reason: "FieldsPruned",
    message: `The API server has removed ${listed(pruned)}, which the installed CustomResourceDefinition did not have, so the operator changes nothing for this ${kind}; what runs keeps running. Apply this ${kind} again with these fields, or delete them from what its managers apply.`,
  };
}

/** The maximum number of paths that a message lists. */
const pathsShown = 5;

/** The cause if a spec has fields that this operator does not support, or undefined. Such a spec is not applied. */
export function unsupportedSpec(kind: OwnKind, spec: unknown): Cause | undefined {
  return unsupportedCause(kind, unsupportedFields(kind, spec));
}

/** The cause for these unsupported paths of a spec; undefined if there are none. */
function unsupportedCause(kind: OwnKind, paths: readonly string[]): Cause | undefined {
  if (paths.length === 0) return undefined;
  return {
    reason: "UnsupportedField",
    message: `This version of the operator does not support ${listed(paths)}, so it changes nothing for this ${kind}; what runs keeps running. Upgrade the operator and its CustomResourceDefinitions, or correct the spec.`,
  };
}

/** The first paths, and the number of the others. */
function listed(paths: readonly string[]): string {
  const more = paths.length > pathsShown ? ` and ${paths.length - pathsShown} more` : "";
  return `${paths.slice(0, pathsShown).join("; ")}${more}`;
}
