import { isDeepStrictEqual } from "node:util";
import type { Cluster } from "./cluster.ts";
import { serverEvents } from "./lifecycle-events.ts";
import type { Outcome } from "./outcome.ts";
import { statusOf } from "./status.ts";
import type { Reported } from "./status-input.ts";

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
