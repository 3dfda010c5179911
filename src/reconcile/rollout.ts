import type { Deployment, Owned } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import { podsOf } from "./server-workload.ts";
import type { Evidence } from "./warnings.ts";
import { deploymentProblem } from "./workload-problem.ts";

/** The state of the rollout of a Deployment. */
export interface Rollout {
  /** All pods run the Deployment's latest spec and are available, and no older one is left. */
  readonly complete: boolean;
  /** Why it is not complete. */
  readonly cause?: Cause;
  readonly stalled: boolean;
  /** Seconds after which it may count as stalled. */
  readonly againInSeconds?: number;
}

/** The rollout by the Deployment's status, as in `kubectl rollout status`, and why it is not complete. */
export function rolloutOf(deployment: Deployment, owned: readonly Owned[], evidence: Evidence): Rollout {
  if (isRolledOut(deployment)) return { complete: true, stalled: false };
  const { spec, status = {}, metadata } = deployment;
  const wanted = spec.replicas ?? 1;
  const { availableReplicas = 0, observedGeneration = 0 } = status;
  const isCurrent = observedGeneration >= (metadata.generation ?? 0);
  const problem = deploymentProblem(deployment, podsOf(componentOf(deployment), owned), evidence);
  if (problem !== undefined) return { complete: false, ...problem };
  const overdue = status.conditions?.some((c) => c.type === "Progressing" && c.reason === "ProgressDeadlineExceeded");
  if (isCurrent && overdue) {
    const selector = Object.entries(spec.selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
    const message = `${availableReplicas} of ${wanted} pods of ${objectText(deployment)} are ready, and none has become ready for ten minutes. See kubectl describe pods -n ${metadata.namespace} -l ${selector.join(",")}`;
    return { complete: false, cause: { reason: "RolloutStuck", message }, stalled: true };
  }
  const message = "Pods of the current spec are starting";
  return { complete: false, cause: { reason: "Progressing", message }, stalled: false };
}

function componentOf({ spec }: Deployment): string {
  return spec.template.metadata?.labels?.[label.component] ?? "server";
}

/** Whether all pods run the Deployment's latest spec and are ready, as in `kubectl rollout status`. */
export function isRolledOut({ spec, status = {}, metadata }: Deployment): boolean {
  const wanted = spec.replicas ?? 1;
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = status;
  const isCurrent = observedGeneration >= (metadata.generation ?? 0);
  return isCurrent && updatedReplicas === wanted && replicas === wanted && availableReplicas === wanted;
}
