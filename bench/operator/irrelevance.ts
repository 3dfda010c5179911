import { resourcePath } from "../../src/kube/kinds.ts";
import { asked, mergePatch } from "../asked.ts";
import { atMost, type Figure } from "../figure.ts";
import { inFlight } from "../in-flight.ts";
import { callsOf, type Measuring, textOf } from "./measuring.ts";

const events = 500;
const namespace = "one";

const pod = { spec: { containers: [{ name: "a", image: "registry.example.com/a" }] } };
const foreign = { ConfigMap: { data: { key: "value" } }, Secret: { stringData: { key: "value" } }, Pod: pod } as const;
const kinds = ["ConfigMap", "Secret", "Pod"] as const;

/** Changes of objects that are no server's. */
export async function irrelevance(measuring: Measuring, idleCpuPerSecond: number): Promise<readonly Figure[]> {
  const { cluster, log, operator } = measuring;
  // There is no controller that makes it, and no pod without it.
  await asked(cluster, "POST", resourcePath("ServiceAccount", namespace), { metadata: { name: "default" } });
  for (const kind of kinds)
    await asked(cluster, "POST", resourcePath(kind, namespace), { metadata: { name: "foreign" }, ...foreign[kind] });
  const calls: string[] = [];
  const cpu: Record<string, number> = {};
  for (const kind of kinds) {
    const path = resourcePath(kind, namespace, "foreign");
    const since = await log.mark();
    const before = operator.usage();
    const began = performance.now();
    await inFlight(2, Array(events).keys(), (n) =>
      asked(cluster, "PATCH", path, { metadata: { labels: { n: `${n}` } } }, mergePatch),
    );
    calls.push(...(await callsOf(measuring, since)).map(textOf));
    const idle = (idleCpuPerSecond * (performance.now() - began)) / 1000;
    cpu[kind] = (operator.usage().cpuMilliseconds - before.cpuMilliseconds - idle) / events;
  }
  const worst = Math.max(...Object.values(cpu));
  return [
    atMost(`calls in ${events * kinds.length} irrelevant events`, calls.length, 0, { detail: calls }),
    atMost("CPU per irrelevant event, the worst kind", worst, 2, { unit: "ms", digits: 2, detail: cpu }),
  ];
}
