import type { MlflowServer } from "../api/server.ts";
import { type KnownKind, unsupportedFields } from "../api/unsupported-fields.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Cluster } from "./cluster.ts";
import type { Cause } from "./finding.ts";
import { listed, unsupportedCause } from "./unsupported-spec.ts";

/** Why nothing may be built of a spec as the API server shows it. */
export interface SpecProblem {
  readonly cause: Cause;
  /**
   * Whether the API server still stores fields that it does not show: any write to the object, of its status too, would lose
   * them for good.
   */
  readonly isHidden: boolean;
}

/** So long fields that the API server does not show may come back: it takes a moment to serve by a definition that has changed. */
export const hiddenSeconds = 30;

/** A resource of ours, as the cache has it. */
type Resource = Pick<MlflowServer | MlflowWorkspaceAccess, "apiVersion" | "kind" | "metadata" | "spec" | "pruned">;

/** The problem of a spec, or undefined where all that its author wrote is there and is known. */
export async function specProblem(
  cluster: Pick<Cluster, "skew" | "violations" | "secondsPruned">,
  kind: KnownKind,
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

function outdated(kind: KnownKind, missing: readonly string[]): Cause {
  return {
    reason: "CustomResourceDefinitionOutdated",
    message: `The CustomResourceDefinition of ${kind} is older than the operator: it does not have ${listed(missing)}. Specs may have lost fields, so the operator changes nothing; what runs keeps running. Apply the CustomResourceDefinitions of this operator, then apply this ${kind} again.`,
  };
}

function prunedCause(kind: KnownKind, pruned: readonly string[]): Cause {
  return {
    reason: "FieldsPruned",
    message: `The API server has removed ${listed(pruned)}, which the installed CustomResourceDefinition did not have, so the operator changes nothing for this ${kind}; what runs keeps running. Apply this ${kind} again with these fields, or delete them from what its managers apply.`,
  };
}
