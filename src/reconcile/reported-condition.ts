import { excerpt } from "../kube/excerpt.ts";
import type { AuthorizationPolicy, Gateway, ReportedCondition } from "../kube/manifests.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import { difference } from "./difference.ts";

type PolicyOrGateway = Gateway | AuthorizationPolicy;

/** An object with conditions of another controller. */
interface WithConditions extends Pick<KubeObject, "metadata"> {
  readonly status?: { readonly conditions?: readonly ReportedCondition[] } | undefined;
}

/** The condition that a controller reports for the current generation of an object, or undefined. */
export function conditionOf({ metadata, status }: WithConditions, type: string): ReportedCondition | undefined {
  const found = status?.conditions?.find((condition) => condition.type === type);
  // Without observedGeneration, the condition may be about an earlier generation.
  return Number(found?.observedGeneration ?? Number.NaN) >= (metadata.generation ?? 0) ? found : undefined;
}

/** The reason and message of a condition, on one line. */
export function conditionText(condition: ReportedCondition | undefined): string {
  if (condition === undefined) return "Istio has not reported a condition for its current generation";
  const reason = excerpt(condition.reason, 100) || "no reason";
  const line = excerpt(condition.message);
  return line === "" ? reason : `${reason}: ${line}`;
}

/** Why an object is not considered yet: its spec has not been applied. */
export function applyProblem(wanted: PolicyOrGateway, live: PolicyOrGateway | undefined): Cause | undefined {
  if (live !== undefined && live.metadata.deletionTimestamp === undefined && difference(wanted, live) === undefined)
    return undefined;
  return { reason: "MeshProgressing", message: `${objectText(wanted)} is being applied` };
}
