import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "../../src/kube/manifests.ts";
import { objectNames, port } from "../../src/model/names.ts";
import { chart, helmProgram } from "../chart/helm.ts";
import { installation, releaseName } from "../chart/installation.ts";
import { oauth2ProxyImage } from "../cluster/oauth2-proxy.ts";
import { disguised, plain } from "../envoy/trace-paths.ts";
import { startCollector } from "../live/collector.ts";
import { imageReference, testedVersion } from "../live/live-cluster.ts";
import { operatorPods } from "../live/operator-pods.ts";
import { startPostgresql } from "../live/postgresql-server.ts";
import { proxyFixture } from "../live/proxy-fixture.ts";
import { startS3 } from "../live/s3-server.ts";
import { apiAudience, enableDiscovery, grant, serviceAccount, serviceAccountToken } from "../live/service-accounts.ts";
import { spanOf } from "../live/span.ts";
import { waitUntil } from "../live/wait-until.ts";
import { pathOf } from "../support/objects.ts";
import { condition, freshNamespace } from "../support/operator-fixture.ts";
import { inAmbient, type MeshRequest, startCaller } from "./caller.ts";
import { all } from "./mesh-fixture.ts";
import { steadily } from "./steady-caller.ts";

const name = "mlflow";
const prefix = "/clusters/c1/mlflow";
const collector = "collector-1";
const istioSystem = "istio-system";

/**
 * A production setup: the operator from its chart, in the mesh and with network policies; a server of two pods with
 * oauth2-proxy as its entry point, with network policies; its database in the mesh; a collector that is allowed access.
 */
test("a production setup in a mesh in ambient mode", {
  timeout: 1_200_000,
}, async (context) => {
  await helmProgram();
  const fixture = await proxyFixture(context);
  const { cluster, namespace, objects } = fixture;
  await fixture.stopOperator();
  // Its roles have the names of the chart's.
  for (const plural of ["rolebindings", "roles"])
    await cluster.request("DELETE", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/${plural}`);
  const release = await installation(cluster);
  const [agents, elsewhere] = [await freshNamespace(cluster), await freshNamespace(cluster)];
  const operator = operatorPods(cluster, release.namespace);
  context.after(async () => {
    if (!context.passed) context.diagnostic(await operator.logs());
    // The server is deleted first, while an operator can remove it from the mesh.
    for (const each of [namespace, release.namespace, agents, elsewhere])
      await cluster.request("DELETE", `/api/v1/namespaces/${each}`);
  });
  context.after(await enableDiscovery(fixture));
  await objects.patch("Namespace", release.namespace, { metadata: { labels: inAmbient } });
  const image = await cluster.image(await oauth2ProxyImage());
  const [, registry = "", repository = "", tag = ""] = /^([^/]+)\/(.+):(.+)$/.exec(image) ?? [];
  await imageReference(cluster, "mlflow-operator");
  const sets = [
    ...["rbac.aggregateToUserRoles=false", "crds.enabled=false", "image.pullPolicy=Never"],
    ...[`watchNamespaces={${namespace}}`, "networkPolicy.enabled=true"],
    ...[`proxyImage.registry=${registry}`, `proxyImage.repository=${repository}`, `proxyImage.tag=${tag}`],
  ];
  const installed = release.run("install", chart, ...sets.flatMap((set) => ["--set", set]), "--wait", "--timeout=5m");
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture), installed]);
  await objects.patch("Pod", "postgresql", { metadata: { labels: inAmbient } });
  await serviceAccount(fixture, "trainer", { mayUse: true });
  await grant(fixture, "collector", [{ kind: "ServiceAccount", name: collector, namespace: agents }]);
  const writers = [collector, "writer"].map((serviceAccount) => ({ namespace: agents, serviceAccount }));
  await fixture.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      replicas: 2,
      backendStore: { postgresql: postgresql.database("mlflow") },
      artifactStore: { s3: s3.store },
      authentication: {
        oauth2Proxy: {
          ...fixture.proxy,
          redirectURL: undefined,
          acceptServiceAccountTokens: { issuer: apiAudience },
          authorization: { kubernetes: {} },
        },
      },
      exposure: { externalURL: `https://platform.example.com${prefix}` },
      networkPolicy: {
        from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": agents } } }],
        egress: {},
      },
      traces: { writers },
      mesh: { istio: { mode: "Ambient" } },
    },
  });
  const host = `${name}.${namespace}`;
  const caller = (place: string, of: string, labels = {}) =>
    startCaller(cluster, { namespace: place, name: of, labels, host });
  const [writer, colleague, stranger, outsider] = await Promise.all([
    caller(agents, "writer", inAmbient),
    caller(agents, "colleague", inAmbient),
    caller(elsewhere, "writer", inAmbient),
    caller(agents, "outsider"),
  ]);
  const waypoint = objectNames.waypoint(name);
  const enforced = () => fixture.reason(name, "MeshReady", "MeshEnforced", 400);

  await context.test("the operator starts the server and adds it to the mesh, from inside the mesh", async () => {
    for (const { metadata } of await operator.leaderAndOther())
      assert.equal(metadata.annotations?.["ambient.istio.io/redirection"], "enabled", metadata.name);
    const server = await enforced();
    assert.match(condition(server, "MeshReady").message, new RegExp(`${agents}/${collector}`));
    await waitUntil(async () => {
      assert.equal(condition(await objects.the("MlflowServer", name), "Ready").status, "True");
    }, 120);
  });

  const headers = { authorization: `Bearer ${await serviceAccountToken(fixture, "trainer")}` };
  const experiments: MeshRequest = { method: "GET", path: "/api/2.0/mlflow/experiments/get?experiment_id=0", headers };
  const span: MeshRequest = {
    method: "POST",
    path: "/v1/traces",
    headers: { ...headers, "content-type": "application/json", "x-mlflow-experiment-id": "0" },
    body: JSON.stringify(spanOf("of a test")),
  };

  await context.test("clients in the mesh authenticate by a token, only through the proxy", async () => {
    const asked = [experiments, { ...experiments, path: prefix + experiments.path }, { ...experiments, headers: {} }];
    for (const { ask } of [writer, colleague, stranger])
      await waitUntil(async () => assert.deepEqual(await ask(asked), ["200", "200", "401"]), 180);
    assert.deepEqual(await outsider.ask(asked), all(3, "none"));
    const [pod] = await fixture.pods(name);
    const past = [4180, port, 15008].map((port) => ({ ...experiments, host: pod?.status?.podIP ?? "", port }));
    for (const { ask } of [writer, stranger, outsider]) assert.deepEqual(await ask(past), all(3, "none"));
  });

  await context.test("only a writer can write traces with a token, in every encoding of the path", async () => {
    const paths = [...plain, ...disguised].flatMap((path) => [path, prefix + path]);
    const asked = paths.map((path) => ({ ...span, path }));
    assert.deepEqual(await writer.ask([span, { ...span, path: `${prefix}/v1/traces` }]), ["200", "200"]);
    assert.deepEqual(await writer.ask([{ ...span, headers: {} }]), ["401"], "the mesh is no credential");
    for (const { ask } of [colleague, stranger]) assert.deepEqual(await ask(asked), all(asked.length, "refused"));
    assert.deepEqual(await outsider.ask([span]), ["none"]);
  });

  await context.test(
    "the collector that the operator's command prints is allowed access with its own token",
    async () => {
      const { send } = await startCollector(fixture, name, { place: { namespace: agents, sender: "writer" } });
      const trace = await send();
      const found = { ...experiments, path: `/api/3.0/mlflow/traces/${trace}` };
      await waitUntil(async () => assert.deepEqual(await colleague.ask([found]), ["200"]), 180);
    },
  );

  await context.test(
    "one pod at a time is evicted, of the server and of the waypoint, and all requests are answered",
    async () => {
      const load = await steadily(stranger, "/ping");
      const waypoints = async () =>
        (await objects.list("Pod")).filter(
          ({ metadata }) =>
            metadata.labels?.["gateway.networking.k8s.io/gateway-name"] === waypoint &&
            metadata.deletionTimestamp === undefined,
        );
      const evicted = async (pod: string) => {
        const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod } };
        return (await objects.attempt("POST", `${pathOf("Pod", namespace, pod)}/eviction`, body)).status;
      };
      /** The names of two pods that are ready, none of which is `gone`. */
      const twoOf = (pods: () => Promise<readonly Pod[]>, gone?: string) =>
        waitUntil(async () => {
          const ready = (await pods()).filter(({ status }) =>
            status?.conditions?.some((each) => each.type === "Ready" && each.status === "True"),
          );
          const [one = "", other = "", ...more] = ready.map(({ metadata }) => metadata.name);
          assert.ok(other !== "" && more.length === 0 && ![one, other].includes(gone ?? ""), `${one}, ${other}`);
          return [one, other] as const;
        }, 240);
      const rounds = [];
      for (const pods of [waypoints, () => fixture.pods(name)]) {
        const [first, second] = await twoOf(pods);
        await waitUntil(async () => assert.equal(await evicted(first), 201), 60);
        assert.equal(await evicted(second), 429);
        rounds.push({ pods, first });
      }
      for (const { pods, first } of rounds) await twoOf(pods, first);
      const { answered, failed } = await load.end();
      assert.deepEqual(failed, []);
      context.diagnostic(`${answered} requests were answered meanwhile, none failed`);
    },
  );

  await context.test("a policy that is not enforced is detected by probes from inside the mesh", async () => {
    const policy = `/apis/security.istio.io/v1/namespaces/${istioSystem}/authorizationpolicies`;
    const body = {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      // For all waypoints, but only for the operator.
      metadata: { name: `lets-the-operator-in-${namespace}` },
      spec: {
        targetRefs: [{ group: "gateway.networking.k8s.io", kind: "GatewayClass", name: "istio-waypoint" }],
        rules: [{ from: [{ source: { principals: [`cluster.local/ns/${release.namespace}/sa/${releaseName}`] } }] }],
      },
    };
    const remove = () => cluster.request("DELETE", `${policy}/${body.metadata.name}`);
    context.after(remove);
    assert.equal((await cluster.request("POST", policy, { body })).status, 201);
    const server = await fixture.reason(name, "MeshReady", "MeshNotEnforced", 240);
    context.diagnostic(condition(server, "MeshReady").message);
    await remove();
    await enforced();
  });
});
