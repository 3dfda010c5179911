import type { MlflowServer } from "../api/server.ts";
import { annotation } from "../kube/names.ts";
import { objectNames } from "../model/names.ts";
import type { Cause } from "./cause.ts";
import { withoutCreation } from "./migration.ts";
import type { ObservedState } from "./observed-state.ts";
import { blocked, type Outcome, outcomeOf, waitingForName } from "./outcome.ts";
import { planOf } from "./plan.ts";
import { failedChecks } from "./preflight-checks.ts";
import type { Step } from "./step.ts";

/** The maximum number of objects that a message lists. */
const objectsShown = 5;

/**
 * The outcome for a paused server: that of the same reconciliation without its writes. It is stalled if the pods or the
 * migration need a change by the spec; an upgrade of the operator is none, as for a server that waits for its turn.
 */
export function pausedOutcome(observed: ObservedState): Outcome {
  const [failed, ...others] = failedChecks(observed);
  if (failed !== undefined) return blocked([failed, ...others], observed);
  const { upgrade: _, ...plan } = planOf(observed);
  const { server } = observed;
  const steps = plan.groups.flat();
  const objects = [...new Set(steps.flatMap(changedObject))];
  const cause = changesWait(objects);
  const migration =
    plan.migration.create === undefined
      ? plan.migration
      : withoutCreation(plan.migration, server.status?.migration, cause);
  const conflict = plan.namingConflict ?? plan.waiting;
  if (conflict !== undefined) return waitingForName(conflict, migration);
  const outcome = outcomeOf(observed, { ...plan, migration, groups: [] });
  // What is interim waits for objects that are not created.
  const isWaiting = steps.some((step) => isOfPods(step, server)) || (outcome.isInterim && objects.length > 0);
  return isWaiting ? { state: "stalled", cause, migration } : outcome;
}

/** Whether a step changes the pods of MLflow, or the migration. */
function isOfPods(step: Step, { metadata: { name } }: MlflowServer): boolean {
  if (step.do !== "create" && step.do !== "apply") return false;
  const { kind, metadata } = step.manifest;
  return (
    kind === "Job" ||
    (kind === "Deployment" && [objectNames.deployment(name), objectNames.artifactServer(name)].includes(metadata.name))
  );
}

function changedObject(step: Step): string[] {
  if (step.do !== "create" && step.do !== "apply" && step.do !== "delete") return [];
  const { kind, metadata } = step.do === "delete" ? step.live : step.manifest;
  return [`${kind} ${metadata.name}`];
}

function changesWait(objects: readonly string[]): Cause {
  const more = objects.length > objectsShown ? ` and ${objects.length - objectsShown} more` : "";
  return {
    reason: "Paused",
    message: `The annotation ${annotation.paused} is "true", so the operator does not apply the changes of ${objects.slice(0, objectsShown).join(", ")}${more}; what runs keeps running. Remove the annotation to apply them.`,
  };
}
