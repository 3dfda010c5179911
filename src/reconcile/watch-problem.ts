import { isDeepStrictEqual } from "node:util";
import type { MlflowServer } from "../api/server.ts";
import { conditionsOf } from "../kube/conditions.ts";
import type { Cluster } from "./cluster.ts";
import { newConditions } from "./conditions/condition.ts";
import { stateConditions } from "./conditions/state.ts";
import type { Outcome } from "./outcome.ts";
import { statusInput } from "./status-input.ts";

/** The outcome of a reconciliation, or an uncertain one if a watch has a problem. */
export function withWatchProblem(outcome: Outcome, problem: string | undefined): Outcome {
  if (problem === undefined || outcome.isInterim) return outcome;
  return { ...outcome, ...watchFailure(problem) };
}

function watchFailure(problem: string) {
  const message = `${problem}, so this status may be outdated, and changes are not detected. Running pods continue. Check the operator's permissions and the API server`;
  return { state: "stalled", cause: { reason: "WatchFailed", message }, isUncertain: true } as const;
}

/** Reports a watch problem of a server whose state is unknown. The rest of its status stays, with its generation. */
export async function reportWatchProblem(
  cluster: Pick<Cluster, "report">,
  server: MlflowServer,
  problem: string,
  now: Date,
): Promise<void> {
  const before = server.status?.conditions ?? [];
  const generation = server.status?.observedGeneration ?? 0;
  const input = statusInput({ server, owned: [], now }, watchFailure(problem));
  const found = conditionsOf(newConditions(stateConditions, input), before, generation, now);
  const rest = before.filter(({ type }) => !found.some((condition) => condition.type === type));
  const status = { ...server.status, observedGeneration: generation, conditions: [...found, ...rest] };
  if (!isDeepStrictEqual(status, server.status)) await cluster.report(server, status);
}
