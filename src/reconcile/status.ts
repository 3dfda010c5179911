import { isDeepStrictEqual } from "node:util";
import type { MlflowServerStatus } from "../api/server.ts";
import { conditionsOf, timestamp } from "../kube/conditions.ts";
import type { Cluster } from "./cluster.ts";
import { newConditions, type ServerCondition } from "./conditions/condition.ts";
import { serverConditions } from "./conditions/index.ts";
import { observedSince } from "./grace-period.ts";
import { serverEvents } from "./lifecycle-events.ts";
import type { Outcome } from "./outcome.ts";
import { statusFields } from "./status-fields.ts";
import { type Reported, statusInput } from "./status-input.ts";

/**
 * The status after a reconciliation. It follows kstatus: `Ready` is True only when the rollout of this generation is complete,
 * and exactly one of `Reconciling` and `Stalled` is True until then. If the spec was not evaluated, what depends on it stays.
 */
export function statusOf(
  observed: Reported,
  outcome: Outcome,
  conditions: readonly ServerCondition[] = serverConditions,
): MlflowServerStatus {
  const input = statusInput(observed, outcome);
  const { server, before, now } = input;
  const { generation = 0 } = server.metadata;
  return {
    ...statusFields(input),
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(server, now)),
    conditions: conditionsOf(newConditions(conditions, input), before.conditions ?? [], generation, now),
  };
}

/** Updates the status if it has changed, and records an Event for each step of the lifecycle that the change shows. */
export async function report(cluster: Cluster, observed: Reported, outcome: Outcome): Promise<void> {
  const { server } = observed;
  const before = server.status;
  const { identity } = cluster;
  const status = { ...statusOf(observed, outcome), ...(identity !== undefined && { operator: identity }) };
  if (isDeepStrictEqual(status, before)) return;
  await cluster.report(server, status);
  for (const event of serverEvents(before, status)) await cluster.recordEvent(server, event);
}
