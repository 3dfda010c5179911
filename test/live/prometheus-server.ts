import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Cluster } from "../cluster/start-cluster.ts";
import { objects } from "../support/objects.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { imageReference } from "./live-cluster.ts";
import { waitUntil } from "./wait-until.ts";

/** A Prometheus in a namespace of its own. */
export interface PrometheusServer {
  /** Returns the value of each series of an instant query, by its labels. */
  readonly query: (expression: string) => Promise<readonly Sample[]>;
  /** Returns the alerting rules that it has loaded. */
  readonly rules: () => Promise<readonly Rule[]>;
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

/** A namespace for a Prometheus, deleted with the test. */
export async function prometheusNamespace(context: TestContext, cluster: Cluster): Promise<string> {
  const namespace = await freshNamespace(cluster);
  context.after(() => cluster.request("DELETE", `/api/v1/namespaces/${namespace}`));
  return namespace;
}

/** Starts a Prometheus that scrapes every second, with the scrape configurations and groups of rules. */
export async function startPrometheus(
  cluster: Cluster,
  namespace: string,
  scrapes: readonly unknown[],
  groups: unknown,
): Promise<PrometheusServer> {
  const own = objects(cluster, namespace);
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: ["/etc/prometheus/rules.yaml"],
    scrape_configs: scrapes,
  };
  await own.create("ConfigMap", {
    metadata: { name: "prometheus" },
    data: { "prometheus.yaml": JSON.stringify(config), "rules.yaml": JSON.stringify({ groups }) },
  });
  await own.create("Pod", {
    metadata: { name: "prometheus" },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: "RuntimeDefault" } },
      volumes: [
        { name: "config", configMap: { name: "prometheus" } },
        { name: "data", emptyDir: {} },
      ],
      containers: [
        {
          name: "prometheus",
          image: await imageReference(cluster, "prometheus"),
          imagePullPolicy: "Never",
          command: ["prometheus", "--config.file=/etc/prometheus/prometheus.yaml", "--storage.tsdb.path=/data"],
          volumeMounts: [
            { name: "config", mountPath: "/etc/prometheus" },
            { name: "data", mountPath: "/data" },
          ],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  });
  const address = await waitUntil(async () => {
    const { status } = await own.the("Pod", "prometheus");
    assert.equal(status?.phase, "Running");
    return status.podIP ?? assert.fail("Prometheus has no address");
  }, 300);
  const get = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://${address}:9090/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { status, data } = (await answer.json()) as { status: string; data: unknown };
    assert.equal(status, "success", path);
    return data;
  };
  await waitUntil(() => get("status/buildinfo"), 120);
  return {
    query: async (expression) => {
      const { result } = (await get(`query?query=${encodeURIComponent(expression)}`)) as {
        result: { metric: Record<string, string>; value: [number, string] }[];
      };
      return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
    },
    rules: async () => {
      const { groups: found } = (await get("rules")) as { groups: { rules: Rule[] }[] };
      return found.flatMap(({ rules }) => rules);
    },
  };
}
