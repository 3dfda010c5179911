import assert from "node:assert/strict";
import type { Pod } from "../../src/kube/manifests.ts";
import { call } from "../chart/installation.ts";
import { type Rendered, renderedObjects } from "../chart/rendering.ts";
import type { Cluster } from "../cluster/start-cluster.ts";

/** Reads the metrics of a pod of the operator; rejects if there is no answer within 3 s. */
export type ReadMetrics = (pod: Pod) => Promise<string>;

/** Reads metrics as Prometheus does, which the cluster does not have: with the chart's ServiceMonitor and its Service. */
export async function metricsByMonitor(cluster: Cluster, namespace: string): Promise<ReadMetrics> {
  const objects = await renderedObjects("default", "--set", "metrics.serviceMonitor.enabled=true");
  const { selector, endpoints } = objects.find(isServiceMonitor)?.spec ?? {};
  const [endpoint] = endpoints ?? [];
  assert.ok(selector !== undefined && endpoint !== undefined, "the chart has no ServiceMonitor");
  const labels = Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`);
  const path = `/api/v1/namespaces/${namespace}/services?labelSelector=${encodeURIComponent(labels.join(","))}`;
  const { items } = await call<{ items: Service[] }>(cluster, "GET", path);
  const ports = items.flatMap(({ spec }) => spec.ports).filter(({ name }) => name === endpoint.port);
  const [port] = ports;
  assert.ok(ports.length === 1 && port !== undefined, `${ports.length} ports are selected`);
  return async ({ status }) => {
    const url = `http://${status?.podIP}:${port.port}${endpoint.path}`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(3000) });
    assert.equal(answer.status, 200);
    return answer.text();
  };
}

interface Service {
  readonly spec: { readonly ports: readonly { readonly name: string; readonly port: number }[] };
}

interface ServiceMonitor extends Rendered {
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly endpoints: readonly { readonly port: string; readonly path: string }[];
  };
}

function isServiceMonitor(object: Rendered): object is ServiceMonitor {
  return object.kind === "ServiceMonitor";
}
