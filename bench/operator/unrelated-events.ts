import { resourcePath } from "../../src/kube/kinds.ts";
import { adminRequest, mergePatch } from "../admin-request.ts";
import { atMost, type Figure } from "../figure.ts";
import { inFlight } from "../in-flight.ts";
import { callsOf, type Measuring, textOf } from "./measuring.ts";

const events = 500;
const namespace = "one";

const pod = { spec: { containers: [{ name: "a", image: "registry.example.com/a" }] } };
const unrelated = {
  ConfigMap: { data: { key: "value" } },
  Secret: { stringData: { key: "value" } },
  Pod: pod,
} as const;
const kinds = ["ConfigMap", "Secret", "Pod"] as const;

/** Measures changes of objects that do not belong to a server. */
export async function unrelatedEvents(measuring: Measuring, idleCpuPerSecond: number): Promise<readonly Figure[]> {
  const { cluster, log, operator } = measuring;
  // No controller creates it here, and pods require it.
  await adminRequest(cluster, "POST", resourcePath("ServiceAccount", namespace), { metadata: { name: "default" } });
  for (const kind of kinds)
    await adminRequest(cluster, "POST", resourcePath(kind, namespace), {
      metadata: { name: "unrelated" },
      ...unrelated[kind],
    });
  const calls: string[] = [];
  const cpu: Record<string, number> = {};
  for (const kind of kinds) {
    const path = resourcePath(kind, namespace, "unrelated");
    const since = await log.mark();
    const before = operator.usage();
    const began = performance.now();
    await inFlight(2, Array(events).keys(), (n) =>
      adminRequest(cluster, "PATCH", path, { metadata: { labels: { n: `${n}` } } }, mergePatch),
    );
    calls.push(...(await callsOf(measuring, since)).map(textOf));
    const idle = (idleCpuPerSecond * (performance.now() - began)) / 1000;
    cpu[kind] = (operator.usage().cpuMilliseconds - before.cpuMilliseconds - idle) / events;
  }
  const worst = Math.max(...Object.values(cpu));
  return [
    atMost(`calls in ${events * kinds.length} unrelated events`, calls.length, 0, { detail: calls }),
    atMost("CPU per unrelated event, the worst kind", worst, 2, { unit: "ms", digits: 2, detail: cpu }),
  ];
}
