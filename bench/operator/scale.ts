import { maxCalls } from "../../src/kube/client/connections.ts";
import { atMost, type Figure } from "../figure.ts";
import { bareSeconds, template } from "./bare.ts";
import { callsOf, type Measuring } from "./measuring.ts";
import { createNamespace, createServers, deployed, ready, serverNames } from "./servers.ts";

const count = 100;

/**
 * Creates 100 servers, compared with a client without logic that writes the same objects, before and after (the mean
 * of both). The same node simulation sets the status of all Jobs and Deployments.
 */
export async function scale(measuring: Measuring): Promise<readonly Figure[]> {
  const { cluster, log, relay } = measuring;
  const objects = await template(cluster);
  const first = await bareSeconds(measuring, "bare-1", objects, count);
  await createNamespace(cluster, "hundred");
  const since = await log.mark();
  const sockets = relay.accepted();
  const began = performance.now();
  await createServers(cluster, "hundred", serverNames("mlflow", count));
  await deployed(cluster, "hundred", count);
  const written = (performance.now() - began) / 1000;
  await ready(cluster, "hundred", count);
  const whole = (performance.now() - began) / 1000;
  const calls = (await callsOf(measuring, since)).length;
  const opened = relay.accepted() - sockets;
  const second = await bareSeconds(measuring, "bare-2", objects, count);
  const mean = (first + second) / 2;
  const detail = { bareSeconds: [first, second], writtenSeconds: written, readySeconds: whole, calls, opened };
  return [
    atMost(`${count} servers written, against a bare client`, written / mean, 2, {
      unit: "×",
      digits: 2,
      note: `${written.toFixed(1)} s against ${mean.toFixed(1)} s, all Ready after ${whole.toFixed(1)} s`,
      detail,
    }),
    // After a minute without requests only the sockets of watches are open, and a burst opens up to the limit in flight.
    atMost("sockets opened by the first burst", opened, maxCalls, { note: `in ${calls} calls` }),
  ];
}
