import { setTimeout as sleep } from "node:timers/promises";
import { atMost, type Figure } from "../figure.ts";
import { callsOf, type Measuring } from "./measuring.ts";
import { createNamespace, createServers, ready, serverNames } from "./servers.ts";

const count = 300;

/** Creates 300 more servers concurrently, and measures new sockets and memory. */
export async function burst(measuring: Measuring): Promise<readonly Figure[]> {
  const { cluster, log, relay, operator } = measuring;
  await createNamespace(cluster, "burst");
  const since = await log.mark();
  const sockets = relay.accepted();
  await createServers(cluster, "burst", serverNames("mlflow", count));
  await ready(cluster, "burst", count, 300);
  const opened = relay.accepted() - sockets;
  const calls = (await callsOf(measuring, since)).length;
  await sleep(10_000);
  const rss = await operator.restingRss();
  return [
    atMost("sockets opened per 1,000 calls, once the pool is open", (opened / calls) * 1000, 4, {
      digits: 1,
      note: `${opened} in ${calls}`,
    }),
    atMost(`RSS after ${count} servers at the same time`, rss / 1e6, 130, { unit: "MB", digits: 1 }),
  ];
}
