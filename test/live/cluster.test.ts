import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { installGateway } from "../cluster/gateway/install-gateway.ts";
import type { Cluster } from "../cluster/start-cluster.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { imageReference, liveCluster } from "./live-cluster.ts";
import { waitUntil } from "./wait-until.ts";
import { webPod } from "./web-pod.ts";

/** Preconditions of the other tests: the cluster behaves as a production cluster. */
describe("the cluster of the live tier", { concurrency: 2 }, () => {
  test("enforces NetworkPolicies", { timeout: 600_000 }, async (context) => {
    const { cluster, namespace } = await stage(context);
    await apply(cluster, namespace, [webPod("server"), service, webPod("listed"), webPod("unlisted")]);
    const found = ["get", "service", "server", "-n", namespace, "--output=jsonpath={.spec.clusterIP}"];
    const address = (await cluster.kubectl(found)).stdout;
    const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 ${address} 80`;
    const reaches = async (from: string) =>
      (await cluster.kubectl(["exec", "-n", namespace, from, "--", "busybox", "sh", "-c", ask])).stdout.includes(
        "here",
      );
    for (const name of ["listed", "unlisted"])
      await waitUntil(async () => assert.ok(await reaches(name), `${name} does not reach the server`), 60);
    await apply(cluster, namespace, [
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "friends" },
        spec: {
          podSelector: { matchLabels: { app: "server" } },
          policyTypes: ["Ingress"],
          ingress: [{ from: [{ podSelector: { matchLabels: { app: "listed" } } }], ports: [{ port: 8080 }] }],
        },
      },
    ]);
    await waitUntil(async () => {
      assert.ok(!(await reaches("unlisted")), "an unlisted pod reaches the server");
      assert.ok(await reaches("listed"), "an allowed pod cannot reach the server");
    }, 60);
  });

  test("has a Gateway that implements HTTPRoutes", { timeout: 600_000 }, async (context) => {
    const { cluster, namespace } = await stage(context);
    const gateway = await installGateway(cluster, () => {});
    const hostname = `${namespace}.example.com`;
    await apply(cluster, namespace, [
      webPod("server"),
      service,
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: { name: "server" },
        spec: {
          parentRefs: [{ name: gateway.name, namespace: gateway.namespace }],
          hostnames: [hostname],
          rules: [
            {
              matches: [{ path: { type: "PathPrefix", value: "/below" } }],
              backendRefs: [{ name: "server", port: 80 }],
            },
          ],
        },
      },
    ]);
    const page = "mkdir -p /www/below && cp /www/index.html /www/below/";
    const make = ["exec", "-n", namespace, "server", "--", "busybox", "sh", "-c", page];
    await waitUntil(async () => assert.equal((await cluster.kubectl(make)).code, 0), 60);
    await waitUntil(async () => assert.equal(await statusOf(gateway.address, hostname, "/below/"), 200), 60);
    assert.equal(await statusOf(gateway.address, hostname, "/"), 404, "a path outside the route is answered");
    assert.equal(await statusOf(gateway.address, "other.example.com", "/below/"), 404, "another host is answered");
  });
});

async function stage(context: TestContext): Promise<{ cluster: Cluster; namespace: string }> {
  const cluster = await liveCluster();
  await imageReference(cluster, "busybox");
  const namespace = await freshNamespace(cluster);
  context.after(() => cluster.request("DELETE", `/api/v1/namespaces/${namespace}`));
  return { cluster, namespace };
}

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "server" },
  spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
};

async function apply(cluster: Cluster, namespace: string, documents: readonly object[]): Promise<void> {
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  const { code, stderr } = await cluster.kubectl(["apply", "-n", namespace, "--filename=-"], text);
  assert.equal(code, 0, stderr);
}

function statusOf(address: string, host: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: address, path, headers: { host }, timeout: 20_000, agent: false });
    outgoing.on("response", (incoming) => {
      incoming.resume();
      resolve(incoming.statusCode);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${host}${path} does not answer`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
