import { setTimeout as sleep } from "node:timers/promises";
import { atMost, type Figure } from "../figure.ts";
import { callsOf, type Measuring, textOf } from "./measuring.ts";
import { createNamespace, createServers, ofTeams, ownedBy, quickStart, ready } from "./servers.ts";

/**
 * Counts the requests except Events until one server is Ready, for two specs; the second, in namespace `one`, is used later. Each referenced Secret
 * is read once for each version; only a watch of all Secrets with their content could avoid that.
 */
export async function convergence(measuring: Measuring): Promise<readonly Figure[]> {
  return [
    await converged(measuring, "calls except Events to converge the quick start", "quick", quickStart),
    await converged(measuring, "calls except Events to converge a server on PostgreSQL", "one", ofTeams),
  ];
}

async function converged(measuring: Measuring, name: string, namespace: string, spec: object): Promise<Figure> {
  const { cluster, log } = measuring;
  await createNamespace(cluster, namespace);
  const since = await log.mark();
  await createServers(cluster, namespace, ["mlflow"], spec);
  await ready(cluster, namespace, 1);
  await sleep(3000);
  // Without those for the schema of the API group, which is read once when the operator starts.
  const all = (await callsOf(measuring, since)).filter(({ resource }) => resource !== "");
  const isEvent = ({ resource }: (typeof all)[number]) => resource === "events";
  const calls = all.filter((call) => !isEvent(call));
  const objects = (await ownedBy(cluster, namespace, "mlflow")).length;
  const reads = calls.filter(({ verb }) => verb === "get").length;
  return atMost(name, calls.length, objects + 4, {
    note: `${objects} objects, ${all.filter(isEvent).length} Events${reads > 0 ? `, ${reads} reads, one of each referenced Secret` : ""}`,
    detail: all.map(textOf),
  });
}
