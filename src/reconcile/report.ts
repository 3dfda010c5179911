import { isDeepStrictEqual } from "node:util";
import type { MlflowServerStatus } from "../api/server.ts";
import type { Cluster, ReportedEvent } from "./cluster.ts";
import type { Outcome } from "./outcome.ts";
import { type Reported, statusOf } from "./status.ts";

/** Updates the status if it has changed, and records an event if the server has stalled or become ready. */
export async function report(cluster: Cluster, observed: Reported, outcome: Outcome): Promise<void> {
  const { server } = observed;
  const before = server.status;
  const { identity } = cluster;
  const status = { ...statusOf(observed, outcome), ...(identity !== undefined && { operator: identity }) };
  if (isDeepStrictEqual(status, before)) return;
  await cluster.report(server, status);
  for (const event of [eventOf(outcome, before), upgradeEvent(outcome, before)])
    if (event !== undefined) await cluster.recordEvent(server, event);
}

/** The event for an upgrade of the operator that stops at this server, or undefined. */
function upgradeEvent({ upgrade }: Outcome, before: MlflowServerStatus | undefined): ReportedEvent | undefined {
  const former = before?.conditions?.find(({ type }) => type === "UpgradePending");
  if (upgrade?.reason !== "UpgradeStopped" || former?.reason === upgrade.reason) return undefined;
  return { type: "Warning", action: "Upgrade", ...upgrade };
}

/** The event for a server that stalls with a new reason, or becomes ready, or undefined. */
function eventOf({ state, cause }: Outcome, before: MlflowServerStatus | undefined): ReportedEvent | undefined {
  const former = (type: string) => before?.conditions?.find((condition) => condition.type === type);
  const stalled = former("Stalled");
  if (state === "stalled" && !(stalled?.status === "True" && stalled.reason === cause.reason)) {
    return { type: "Warning", action: "Reconcile", ...cause };
  }
  if (state === "ready" && former("Ready")?.status !== "True") return { type: "Normal", action: "Reconcile", ...cause };
  return undefined;
}
