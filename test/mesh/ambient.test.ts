import assert from "node:assert/strict";
import { test } from "node:test";
import { listenerUrl, objectNames, port, tracesPort } from "../../src/model/names.ts";
import { disguised, plain } from "../envoy/trace-paths.ts";
import { waitUntil } from "../live/wait-until.ts";
import { objects as objectsOf } from "../support/objects.ts";
import { condition, freshNamespace } from "../support/operator-fixture.ts";
import { inAmbient, withSidecar } from "./caller.ts";
import { all, each, meshFixture, others, toTraces } from "./mesh-fixture.ts";
import { steadily } from "./steady-caller.ts";

const mesh = { istio: { mode: "Ambient" } };

test("traces only from their writers, in a mesh in ambient mode", { timeout: 1_200_000 }, async (context) => {
  const fixture = await meshFixture(context);
  const { name, agents, elsewhere, writers, objects } = fixture;
  await fixture.serve({});
  const [writer, colleague, stranger, outsider, sidecar] = await Promise.all([
    fixture.caller(agents, "collector", inAmbient),
    fixture.caller(agents, "colleague", inAmbient),
    fixture.caller(elsewhere, "collector", inAmbient),
    fixture.caller(elsewhere, "outsider"),
    fixture.caller(elsewhere, "sidecar", withSidecar),
  ]);
  await fixture.ready(name);
  const trace = await fixture.spanWithCredential();
  const at = (host: string, more = {}) => fixture.spanWithCredential({ host, ...more });
  /** Neither the mesh nor the server answers; a sidecar answers with its own message. */
  const isUnanswered = (outcomes: readonly string[]) =>
    outcomes.forEach((outcome) => void assert.match(outcome, /^(none|503)$/));

  await context.test(
    "a server is added to the mesh, in a namespace with Pod Security restricted, and keeps serving",
    async () => {
      const load = await steadily(stranger);
      const began = Date.now();
      await fixture.serve({ mesh, traces: { writers } });
      const server = await fixture.enforced();
      context.diagnostic(`in the mesh after ${((Date.now() - began) / 1000).toFixed(1)} s`);
      assert.match(condition(server, "MeshReady").message, new RegExp(`${agents}/collector can write traces`));
      const { answered, failed } = await load.end();
      assert.deepEqual(failed, []);
      context.diagnostic(`${answered} requests were answered meanwhile, none failed`);
    },
  );

  await context.test("only the writer reaches MLflow, in every encoding of the path", async () => {
    const refused = all(toTraces.length, "refused");
    assert.deepEqual(await writer.ask(toTraces), [...all(plain.length, "401"), ...refused.slice(plain.length)]);
    for (const caller of [colleague, stranger]) assert.deepEqual(await caller.ask(toTraces), refused);
  });

  await context.test("with MLflow's credential only the writer's identity can write", async () => {
    assert.deepEqual(await writer.ask([trace]), ["200"]);
    for (const caller of [colleague, stranger]) assert.deepEqual(await caller.ask([trace]), ["refused"]);
  });

  await context.test("the mesh allows all other paths to all clients in the mesh", async () => {
    for (const caller of [writer, colleague, stranger])
      assert.deepEqual(await caller.ask(each(["GET"], others)), ["200", "401", "401"]);
  });

  await context.test("clients outside the mesh or with a sidecar get no answer", async () => {
    const asked = [...each(["GET"], others), trace];
    assert.deepEqual(await outsider.ask(asked), all(asked.length, "none"));
    isUnanswered(await sidecar.ask(asked));
  });

  await context.test("the address of a pod, another port or a header do not bypass the mesh", async () => {
    const [pod] = await fixture.pods(name);
    const asked = await Promise.all([port, 15008, 8080].map((port) => at(pod?.status?.podIP ?? "", { port })));
    for (const caller of [writer, stranger, outsider])
      assert.deepEqual(await caller.ask(asked), all(asked.length, "none"));
    const headers = { "x-forwarded-uri": "/health", "x-original-url": "/health", "x-envoy-original-path": "/health" };
    assert.deepEqual(await stranger.ask([await fixture.spanWithCredential({ headers })]), ["refused"]);
  });

  const services = ["bare", "headless", "with-waypoint"];
  await context.test(
    "another Service does not bypass the mesh, with or without the waypoint, and MeshReady reports it",
    async () => {
      const { selector = {} } = (await objects.the("Service", name)).spec;
      const spec = { selector, ports: [{ name: "http", port, appProtocol: "http" }] };
      const labels = { "istio.io/use-waypoint": objectNames.waypoint(name) };
      await objects.create("Service", { metadata: { name: "bare" }, spec });
      await objects.create("Service", { metadata: { name: "headless" }, spec: { ...spec, clusterIP: "None" } });
      await objects.create("Service", { metadata: { name: "with-waypoint", labels }, spec });
      await fixture.reason(name, "MeshReady", "ConflictingService", 180);
      const byWaypoint = [await at(`with-waypoint.${fixture.namespace}`)];
      await waitUntil(async () => assert.deepEqual(await writer.ask(byWaypoint), ["200"]), 180);
      for (const caller of [colleague, stranger]) assert.deepEqual(await caller.ask(byWaypoint), ["refused"]);
      const past = [await at(`bare.${fixture.namespace}`), await at(`headless.${fixture.namespace}`)];
      for (const caller of [writer, colleague, stranger, outsider])
        assert.deepEqual(await caller.ask(past), ["none", "none"]);
      assert.deepEqual(await outsider.ask(byWaypoint), ["none"]);
    },
  );
  for (const service of services) await objects.remove("Service", service);
  await fixture.enforced();

  await context.test("deleted and changed objects are restored", async () => {
    const [lock, policy] = [objectNames.denyBypass(name), objectNames.tracesPolicy(name)];
    const { rules } = (await objects.the("AuthorizationPolicy", policy)).spec;
    await objects.remove("AuthorizationPolicy", lock);
    await objects.patch("AuthorizationPolicy", policy, { spec: { rules: [{}] } });
    await waitUntil(async () => {
      await objects.the("AuthorizationPolicy", lock);
      assert.deepEqual((await objects.the("AuthorizationPolicy", policy)).spec.rules, rules);
    }, 180);
    await fixture.enforced();
    await waitUntil(async () => {
      assert.deepEqual([await stranger.ask([trace]), await outsider.ask([trace])], [["refused"], ["none"]]);
    }, 180);
  });

  await context.test(
    "a trust domain that is not the mesh's is reported, and denies no client that was allowed",
    async () => {
      await fixture.serve({ mesh: { istio: { mode: "Ambient", trustDomain: "other.example" } }, traces: { writers } });
      const { message } = condition(await fixture.reason(name, "MeshReady", "TrustDomainUnexpected", 180), "MeshReady");
      assert.match(message, /set spec.mesh.istio.trustDomain: cluster.local/);
      assert.deepEqual(await stranger.ask([...each(["GET"], ["/health"]), trace]), ["200", "refused"]);
      await fixture.serve({ mesh, traces: { writers } });
      await fixture.enforced();
    },
  );

  await context.test("without a pod of the waypoint all clients are denied, and MeshReady reports it", async () => {
    const waypoint = objectNames.waypoint(name);
    await objects.patch("Deployment", waypoint, { spec: { replicas: 0 } });
    await fixture.reason(name, "MeshReady", "WaypointUnavailable", 180);
    const asked = [...each(["GET"], others), trace];
    await waitUntil(async () => {
      for (const caller of [writer, stranger, outsider])
        assert.deepEqual(await caller.ask(asked), all(asked.length, "none"));
    }, 180);
    await objects.patch("Deployment", waypoint, { spec: { replicas: 1 } });
    await fixture.enforced();
    await waitUntil(async () => assert.deepEqual(await stranger.ask(each(["GET"], ["/health"])), ["200"]), 180);
  });

  await context.test("clients of an ingress gateway of Istio go through the waypoint", async () => {
    const gateways = await freshNamespace(fixture.cluster, { "pod-security.kubernetes.io/enforce": "baseline" });
    context.after(() => fixture.cluster.request("DELETE", `/api/v1/namespaces/${gateways}`));
    await objectsOf(fixture.cluster, gateways).create("Gateway", {
      // There is no load balancer here that sets an address.
      metadata: { name: "ingress", annotations: { "networking.istio.io/service-type": "ClusterIP" } },
      spec: {
        gatewayClassName: "istio",
        listeners: [{ name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } }],
      },
    });
    const outside = "mlflow.example.com";
    const httpRoute = { parentRefs: [{ name: "ingress", namespace: gateways }] };
    await fixture.serve({ mesh, traces: { writers }, exposure: { externalURL: `http://${outside}`, httpRoute } });
    await fixture.reason(name, "Exposed", "Exposed", 180);
    await fixture.enforced();
    const through = { host: `ingress-istio.${gateways}`, port: 80 };
    const headers = { host: outside };
    const asked = each(["GET"], others).map((request) => ({ ...request, ...through, headers }));
    await waitUntil(async () => assert.deepEqual(await outsider.ask(asked), ["200", "401", "401"]), 180);
    const traces = [await fixture.spanWithCredential({ ...through, headers })];
    const inDisguise = disguised.map((path) => ({ method: "POST", path, ...through, headers }));
    // The gateway is not a writer, for any of its clients.
    for (const caller of [outsider, writer])
      assert.deepEqual(await caller.ask([...traces, ...inDisguise]), all(1 + disguised.length, "refused"));
  });

  const listenerPod = async () =>
    (await objects.list("Pod")).find(({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === "traces");

  await context.test("with identity Mesh writers need no credential, and the listener denies all others", async () => {
    const server = await fixture.serve({ mesh, traces: { identity: "Mesh", writers } });
    await fixture.enforced();
    const pod = await listenerPod();
    const hosts = [new URL(listenerUrl(server)).hostname, pod?.status?.podIP ?? ""];
    const asked = hosts.map((host) => fixture.span({ host, port: tracesPort }));
    await waitUntil(async () => assert.deepEqual(await writer.ask(asked), ["200", "200"]), 180);
    for (const caller of [colleague, stranger, outsider]) assert.deepEqual(await caller.ask(asked), ["none", "none"]);
    isUnanswered(await sidecar.ask(asked));
    assert.deepEqual(await stranger.ask([trace]), ["refused"], "the server's own port still denies it");
  });

  await context.test("the listener answers no client once it is outside the mesh", async () => {
    const pod = await listenerPod();
    const labels = { "istio.io/dataplane-mode": "none" };
    await objects.patch("Pod", pod?.metadata.name ?? "", { metadata: { labels } });
    const asked = [fixture.span({ host: pod?.status?.podIP ?? "", port: tracesPort })];
    await waitUntil(async () => {
      for (const caller of [writer, colleague, outsider]) isUnanswered(await caller.ask(asked));
    }, 180);
    await objects.remove("Pod", pod?.metadata.name ?? "");
    await fixture.enforced();
  });

  await context.test("it is removed from the mesh, and keeps serving", async () => {
    const load = await steadily(stranger);
    await fixture.serve({});
    await waitUntil(async () => {
      assert.deepEqual([await objects.list("AuthorizationPolicy"), await objects.list("Gateway")], [[], []]);
      assert.deepEqual(await outsider.ask(each(["GET"], ["/health"])), ["200"]);
    }, 180);
    await fixture.ready(name);
    const { answered, failed } = await load.end();
    assert.deepEqual(failed, []);
    context.diagnostic(`${answered} requests were answered meanwhile, none failed`);
  });
});
