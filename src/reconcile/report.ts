import { isDeepStrictEqual } from "node:util";
import type { MlflowServerStatus } from "../api/server.ts";
import type { Cluster, Notice } from "./cluster.ts";
import type { Outcome } from "./outcome.ts";
import { type Reported, statusOf } from "./status.ts";

/** Writes the status, where it says something new, and an event where a person should know. */
export async function report(cluster: Cluster, facts: Reported, outcome: Outcome): Promise<void> {
  const { server } = facts;
  const before = server.status;
  const { identity } = cluster;
  const status = { ...statusOf(facts, outcome), ...(identity !== undefined && { operator: identity }) };
  if (isDeepStrictEqual(status, before)) return;
  await cluster.report(server, status);
  const notice = noticeOf(outcome, before);
  if (notice !== undefined) await cluster.notify(server, notice);
}

/** That the server needs a person, with every new cause, and that it is ready, whatever it was before. */
function noticeOf({ state, cause }: Outcome, before: MlflowServerStatus | undefined): Notice | undefined {
  const former = (type: string) => before?.conditions?.find((condition) => condition.type === type);
  const stalled = former("Stalled");
  if (state === "stalled" && !(stalled?.status === "True" && stalled.reason === cause.reason)) {
    return { type: "Warning", action: "Reconcile", ...cause };
  }
  if (state === "ready" && former("Ready")?.status !== "True") return { type: "Normal", action: "Reconcile", ...cause };
  return undefined;
}
