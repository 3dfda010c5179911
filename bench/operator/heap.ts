import { setTimeout as sleep } from "node:timers/promises";
import { atMost, type Figure } from "../figure.ts";
import { heapOf } from "./inspector.ts";
import type { Measuring } from "./measuring.ts";
import { createNamespace, createServers, ready, serverNames } from "./servers.ts";

const count = 200;

/** Measures the heap for each of 200 more servers. */
export async function heap({ cluster, operator }: Measuring): Promise<Figure> {
  const address = operator.inspector();
  if (address === undefined) throw new Error("The operator was started without the inspector.");
  await createNamespace(cluster, "warm");
  await createServers(cluster, "warm", serverNames("warm", 20));
  await ready(cluster, "warm", 20);
  await sleep(3000);
  const before = await heapOf(address);
  await createNamespace(cluster, "heap");
  await createServers(cluster, "heap", serverNames("mlflow", count));
  await ready(cluster, "heap", count);
  await sleep(5000);
  const after = await heapOf(address);
  const each = (after - before) / count / 1000;
  return atMost(`heap per server at ${count}`, each, 50, { unit: "KB", digits: 1, detail: { before, after } });
}
