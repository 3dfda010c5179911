import { setTimeout as sleep } from "node:timers/promises";
import { atMost, type Figure } from "../figure.ts";
import { callsOf, type Measuring, textOf } from "./measuring.ts";
import { createNamespace, createServers, ofTeams, ownedBy, quickStart, ready } from "./servers.ts";

/**
 * Calls from nothing until one server is Ready, of two kinds; the second, in namespace `one`, is used further. Each Secret that a
 * spec names is read once per version, which only a watch of everybody's Secrets with their content could save.
 */
export async function convergence(measuring: Measuring): Promise<readonly Figure[]> {
  return [
    await converged(measuring, "calls to converge the quick start", "quick", quickStart),
    await converged(measuring, "calls to converge a server on PostgreSQL", "one", ofTeams),
  ];
}

async function converged(measuring: Measuring, name: string, namespace: string, spec: object): Promise<Figure> {
  const { cluster, log } = measuring;
  await createNamespace(cluster, namespace);
  const since = await log.mark();
  await createServers(cluster, namespace, ["mlflow"], spec);
  await ready(cluster, namespace, 1);
  await sleep(3000);
  const calls = await callsOf(measuring, since);
  const objects = (await ownedBy(cluster, namespace, "mlflow")).length;
  const reads = calls.filter(({ verb }) => verb === "get").length;
  return atMost(name, calls.length, objects + 4, {
    note: `${objects} objects${reads > 0 ? `, ${reads} reads, one of each referenced Secret` : ""}`,
    detail: calls.map(textOf),
  });
}
