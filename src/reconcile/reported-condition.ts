import { excerpt } from "../kube/excerpt.ts";
import type { AuthorizationPolicy, Gateway, ReportedCondition } from "../kube/manifests.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import { difference } from "./difference.ts";
import type { Cause } from "./finding.ts";

type PolicyOrGateway = Gateway | AuthorizationPolicy;

/** Anything that a controller says something of. */
interface WithConditions extends Pick<KubeObject, "metadata"> {
  readonly status?: { readonly conditions?: readonly ReportedCondition[] } | undefined;
}

/** What a controller says of an object in its present form; undefined where it has not looked at that yet. */
export function conditionOf({ metadata, status }: WithConditions, type: string): ReportedCondition | undefined {
  const found = status?.conditions?.find((condition) => condition.type === type);
  // Without a generation it may be of any form.
  return Number(found?.observedGeneration ?? Number.NaN) >= (metadata.generation ?? 0) ? found : undefined;
}

/** A condition in words, on one line. */
export function conditionText(condition: ReportedCondition | undefined): string {
  if (condition === undefined) return "Istio has not reported a condition for its current generation";
  const reason = excerpt(condition.reason, 100) || "no reason";
  const line = excerpt(condition.message);
  return line === "" ? reason : `${reason}: ${line}`;
}

/** Nothing is proved by an object that is not as we write it. */
export function applyProblem(wanted: PolicyOrGateway, live: PolicyOrGateway | undefined): Cause | undefined {
  if (live !== undefined && live.metadata.deletionTimestamp === undefined && difference(wanted, live) === undefined)
    return undefined;
  return { reason: "MeshProgressing", message: `${objectText(wanted)} is being applied` };
}
