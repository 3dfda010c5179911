import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, type TestContext, test } from "node:test";
import { defaultTiming, type ListWatchTiming } from "../../../src/kube/client/timing.ts";
import { label } from "../../../src/kube/names.ts";
import type { ProbeAnswer } from "../../../src/reconcile/probe.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import type { ProxiedRequest } from "../../support/fault.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { installIstioDefinitions, removeIstioDefinitions } from "../../support/istio-definitions.ts";
import { istiod } from "../../support/istiod.ts";
import { condition, type Fixture, type FixtureOptions, fixture, installed } from "../../support/operator-fixture.ts";
import { databaseSecret, type Modification, onPostgresql, server } from "../../support/servers.ts";

const timing: ListWatchTiming = { ...defaultTiming, backoff: { first: 0.1, longest: 1 }, absenceSeconds: 2 };
const mesh: Modification = {
  "spec.traces": { writers: [{ namespace: "agents", serviceAccount: "otel-collector" }] },
  "spec.mesh": { istio: { mode: "Ambient" } },
};

/** The applied steps, in order. */
async function taken({ objects }: Fixture): Promise<string[]> {
  const gateways = await objects.list("Gateway");
  const policies = (await objects.list("AuthorizationPolicy")).map(({ metadata }) => metadata.name);
  const { labels } = (await objects.the("Service", "mlflow")).metadata;
  const has = (name: string) => policies.includes(`mlflow-${name}`);
  return [
    ...(gateways.length > 0 ? ["waypoint"] : []),
    ...(has("trace-writers") ? ["traces"] : []),
    ...(labels?.["istio.io/use-waypoint"] === "mlflow-waypoint" ? ["binding"] : []),
    ...(has("allow-waypoint") ? ["allowFromWaypoint"] : []),
    ...(has("waypoint-only") ? ["denyBypass"] : []),
  ];
}

const reaches = (stage: Fixture, steps: readonly string[]) =>
  eventually(async () => assert.deepEqual(await taken(stage), steps));
const says = (stage: Fixture, reason: string, seconds = 60) =>
  eventually(async () => {
    const found = condition(await stage.objects.the("MlflowServer", "mlflow"), "MeshReady");
    assert.equal(found.reason, reason, found.message);
    return found;
  }, seconds);
const order = ["waypoint", "traces", "binding", "allowFromWaypoint", "denyBypass"];

describe("a server in a mesh", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ beforeControllers: installed });
  });
  after(() => cluster?.close());

  const set = (context: TestContext, options: FixtureOptions = {}) =>
    fixture(context, { cluster, operator: { timing }, ...options });

  /** This cluster does not enforce policies: the test denies the operator's own requests. */
  const denying: FixtureOptions = { operator: { timing, probe: async () => ({ kind: "closed" }) } };

  /** The actions of Istio for each step, in order. */
  async function proofs(stage: Fixture): Promise<readonly (() => Promise<void>)[]> {
    const istio = istiod(stage.objects);
    return [
      istio.program,
      () => istio.accept("mlflow-trace-writers"),
      async () => {
        await istio.bind();
        await istio.enrol();
      },
      () => istio.accept("mlflow-allow-waypoint"),
      () => istio.accept("mlflow-waypoint-only"),
    ];
  }

  async function enforced(stage: Fixture): Promise<void> {
    await stage.apply(server("mlflow", mesh));
    await stage.ready("mlflow", 60);
    for (const [index, prove] of (await proofs(stage)).entries()) {
      await reaches(stage, order.slice(0, index + 1));
      await prove();
    }
    await says(stage, "MeshEnforced");
  }

  test("serves without Istio in the cluster, and detects when it is installed", async (context) => {
    const stage = await set(context);
    await stage.apply(server("mlflow", mesh));
    await stage.ready("mlflow", 60);
    assert.match((await says(stage, "IstioMissing")).message, /Install the Gateway API's CustomResourceDefinitions/);
    await installIstioDefinitions(cluster);
    await reaches(stage, ["waypoint"]);
    await says(stage, "WaypointNotProgrammed");
    await removeIstioDefinitions(cluster);
    await says(stage, "IstioMissing");
    await stage.ready();
    await installIstioDefinitions(cluster);
    await reaches(stage, ["waypoint"]);
    const failures = stage.operator().log.map((line) => JSON.stringify(line));
    assert.deepEqual(
      failures.filter((line) => /a watch failed/.test(line) && /gateways|authorizationpolicies/.test(line)),
      [],
    );
  });

  test("applies a step when the one before is verified, across operator restarts, and serves all the time", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    await stage.apply(server("mlflow", mesh));
    await stage.ready("mlflow", 60);
    for (const [index, prove] of (await proofs(stage)).entries()) {
      const now = order.slice(0, index + 1);
      await reaches(stage, now);
      await stage.stop();
      await stage.start();
      await steadily(async () => assert.deepEqual(await taken(stage), now), 1);
      assert.equal(condition(await stage.ready(), "MeshReady").status, "False");
      await prove();
    }
    assert.match((await says(stage, "MeshEnforced")).message, /agents\/otel-collector can write traces/);
    const quiet = await stage.quiet();
    await steadily(() => {}, 1);
    assert.deepEqual(await stage.calls(quiet), []);
  });

  test("gets the deny-bypass policy only when all other steps are verified, and keeps it afterwards", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    const istio = istiod(stage.objects);
    await stage.apply(server("mlflow", mesh));
    await stage.ready("mlflow", 60);
    await reaches(stage, ["waypoint"]);
    await istio.program();
    await reaches(stage, order.slice(0, 2));
    await istio.accept("mlflow-trace-writers", { status: "False", reason: "AncestorNotBound" });
    await says(stage, "MeshPolicyNotAccepted");
    await istio.accept("mlflow-trace-writers");
    await reaches(stage, order.slice(0, 3));
    await istio.bind();
    await says(stage, "PodsNotEnrolled");
    assert.deepEqual(await taken(stage), order.slice(0, 3));
    await istio.enrol();
    await reaches(stage, order.slice(0, 4));
    await istio.accept("mlflow-allow-waypoint");
    await reaches(stage, order);
    await istio.accept("mlflow-waypoint-only", { reason: "UnsupportedValue" });
    await says(stage, "MeshPolicyNotAccepted");
    await istio.accept("mlflow-waypoint-only");
    await says(stage, "MeshEnforced");

    await stage.objects.patch("Deployment", "mlflow-waypoint", { spec: { replicas: 0 } });
    await says(stage, "WaypointUnavailable");
    assert.deepEqual(await taken(stage), order);
    await stage.objects.patch("Deployment", "mlflow-waypoint", { spec: { replicas: 1 } });
    await says(stage, "MeshEnforced");

    const policy = { targetRefs: [{ group: "", kind: "Service", name: "mlflow" }], rules: [{}] };
    // Regardless of its labels.
    const labels = { "app.kubernetes.io/managed-by": "mlflow-operator" };
    await stage.objects.create("AuthorizationPolicy", { metadata: { name: "theirs", labels }, spec: policy });
    assert.match((await says(stage, "ConflictingPolicy")).message, /AuthorizationPolicy\/theirs/);
    await stage.objects.remove("AuthorizationPolicy", "theirs");
    await says(stage, "MeshEnforced");
    const selector = { "mlflow-operator.dev/server": "mlflow" };
    await stage.objects.create("Service", { metadata: { name: "theirs" }, spec: { selector, ports: [{ port: 80 }] } });
    await says(stage, "ConflictingService");
    await stage.objects.remove("Service", "theirs");
    await says(stage, "MeshEnforced");

    await stage.objects.patch("AuthorizationPolicy", "mlflow-trace-writers", { spec: { rules: [{}] } });
    await eventually(async () => {
      const { spec } = await stage.objects.the("AuthorizationPolicy", "mlflow-trace-writers");
      assert.equal(spec.rules?.length, 2);
    });
    await says(stage, "MeshPolicyNotAccepted");
    await istio.accept("mlflow-trace-writers");
    await says(stage, "MeshEnforced");
    await stage.objects.remove("AuthorizationPolicy", "mlflow-waypoint-only");
    await reaches(stage, order);
  });

  test("is removed from the mesh in reverse order, with all its objects", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    await enforced(stage);
    const began = await stage.mark();
    await stage.apply(server("mlflow"));
    await reaches(stage, []);
    // The API server logs a request after it has stored the object.
    await eventually(async () => {
      const writes = (await stage.writes(began)).flatMap(({ verb, uri }) => {
        const name = /\/(gateways|authorizationpolicies|services)\/([^/?]+)/.exec(uri)?.[2];
        return name === undefined ? [] : [`${verb} ${name}`];
      });
      assert.deepEqual(
        writes.filter((write, index) => writes.indexOf(write) === index),
        [
          "delete mlflow-waypoint-only",
          "delete mlflow-allow-waypoint",
          "patch mlflow",
          "delete mlflow-trace-writers",
          "delete mlflow-waypoint",
        ],
      );
    });
    // The server can be ready before the reconciliation that sees the last deletion.
    await eventually(async () => {
      const { status } = await stage.ready("mlflow", 60);
      assert.equal(
        status?.conditions?.find(({ type }) => type === "MeshReady"),
        undefined,
      );
      const { labels } = (await stage.objects.the("Deployment", "mlflow")).spec.template.metadata ?? {};
      assert.equal(labels?.["istio.io/dataplane-mode"], undefined);
    });
  });

  test("changes to sidecars and back, one mode after the other, and serves all the time", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    await enforced(stage);
    await stage.apply(server("mlflow", mesh, { "spec.mesh": { istio: { mode: "Sidecar" } } }));
    await reaches(stage, []);
    assert.equal((await says(stage, "PodsNotEnrolled")).status, "False");
    const policies = async () => (await stage.objects.list("AuthorizationPolicy")).map(({ metadata }) => metadata.name);
    await stage.ready("mlflow", 60);
    await eventually(async () => assert.deepEqual(await policies(), []));
    await istiod(stage.objects).inject();
    await says(stage, "MeshEnforced");
    await eventually(async () => assert.deepEqual(await policies(), ["mlflow-sidecar"]));
    const quiet = await stage.quiet();
    await steadily(() => {}, 1);
    assert.deepEqual(await stage.calls(quiet), []);
    await stage.objects.create("AuthorizationPolicy", { metadata: { name: "theirs" }, spec: { rules: [{}] } });
    assert.match((await says(stage, "ConflictingPolicy")).message, /AuthorizationPolicy\/theirs/);
    await stage.objects.patch("AuthorizationPolicy", "theirs", { spec: { rules: null } });
    await says(stage, "MeshEnforced");
    await stage.objects.remove("AuthorizationPolicy", "theirs");
    await stage.apply(server("mlflow", mesh));
    await reaches(stage, ["waypoint"]);
    await eventually(async () => assert.deepEqual(await policies(), []));
  });

  test("is not MeshReady if the mesh does not deny a request of the operator, regardless of statuses", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    await enforced(stage);
    let [status, text] = [401, "Unauthorized"];
    const mlflow = createServer((_, response) => void response.writeHead(status).end(text));
    // A separate address, because pods listen on port 5000.
    const podIP = "127.83.0.1";
    await new Promise<void>((resolve) => mlflow.listen(5000, podIP, resolve));
    context.after(() => mlflow.close());
    const [pod] = (await stage.objects.list("Pod")).filter(({ status: is }) => is?.phase === "Running");
    await stage.objects.patch(
      "Pod",
      pod?.metadata.name ?? "",
      { status: { podIP, podIPs: [{ ip: podIP }] } },
      "/status",
    );
    await eventually(async () =>
      assert.match(
        (await says(stage, "MeshNotEnforced")).message,
        /pod mlflow-\S+ \(127\.83\.0\.1:5000\) answered POST \/v1\/traces with 401 \(and 2 more\)/,
      ),
    );
    assert.deepEqual(await taken(stage), order, "existing objects stay");
    await stage.ready();
    [status, text] = [403, "RBAC: access denied"];
    await says(stage, "MeshEnforced");
  });

  test("starts a listener for traces last, and stops it first, regardless of other problems", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context, denying);
    const istio = istiod(stage.objects);
    const listening = (...more: readonly Modification[]) =>
      server("mlflow", onPostgresql, mesh, { "spec.traces.identity": "Mesh" }, ...more);
    const isOpen = async () =>
      (await stage.objects.list("Deployment")).some(({ metadata }) => metadata.name === "mlflow-traces");
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(listening());
    await stage.ready("mlflow", 60);
    for (const [index, prove] of (await proofs(stage)).entries()) {
      await reaches(stage, order.slice(0, index + 1));
      assert.equal(await isOpen(), false);
      await prove();
    }
    for (const policy of ["mlflow-traces-writers-only", "mlflow-traces-allow-writers"]) {
      await eventually(async () =>
        assert.match(
          (await says(stage, "MeshPolicyNotAccepted")).message,
          new RegExp(`AuthorizationPolicy/${policy} `),
        ),
      );
      assert.equal(await isOpen(), false);
      await istio.accept(policy);
    }
    await says(stage, "MeshEnforced");
    await eventually(async () => assert.equal(await isOpen(), true));
    const quiet = await stage.quiet();
    await steadily(() => {}, 1);
    assert.deepEqual(await stage.calls(quiet), []);

    // A missing Secret blocks all other writes.
    await stage.objects.remove("Secret", "database");
    await stage.stalled("SecretNotFound", "mlflow", 60);
    assert.equal(await isOpen(), true);
    await istio.accept("mlflow-waypoint-only", { reason: "UnsupportedValue" });
    await eventually(async () => assert.equal(await isOpen(), false));
    await stage.stop();
    await stage.objects.create("Secret", databaseSecret);
    await istio.accept("mlflow-waypoint-only");
    await stage.start();
    await says(stage, "MeshEnforced");
    await eventually(async () => assert.equal(await isOpen(), true));

    const began = await stage.mark();
    await stage.apply(listening({ "spec.traces.identity": "Application" }));
    await eventually(async () => {
      const names = (await stage.objects.list("AuthorizationPolicy")).map(({ metadata }) => metadata.name).sort();
      assert.deepEqual(names, ["mlflow-allow-waypoint", "mlflow-trace-writers", "mlflow-waypoint-only"]);
    });
    const deleted = (await stage.writes(began)).flatMap(({ verb, uri }) => (verb === "delete" ? [uri] : []));
    assert.match(deleted[0] ?? "", /deployments\/mlflow-traces/);
    await says(stage, "MeshEnforced");
  });

  test("with writers and no mesh reports what protects traces", async (context) => {
    const stage = await set(context);
    await stage.apply(server("mlflow", mesh, { "spec.mesh": undefined }));
    await stage.ready("mlflow", 60);
    assert.match((await says(stage, "MeshNotConfigured")).message, /any client that the server authenticates/);
  });

  test("keeps all steps while the API server briefly reports Istio's kinds as missing, and across a restart of the operator", async (context) => {
    await installIstioDefinitions(cluster);
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await set(context, { proxy, operator: { timing: { ...timing, absenceSeconds: 30 } } });
    await enforced(stage);
    const versions = async () => {
      const deployment = await stage.objects.the("Deployment", "mlflow");
      const policies = await stage.objects.list("AuthorizationPolicy");
      return [deployment, ...policies].map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.generation}`);
    };
    const before = await versions();
    const isOfIstio = ({ method, path }: ProxiedRequest) =>
      method === "GET" && /^\/apis\/(security\.istio\.io|gateway\.networking\.k8s\.io)\//.test(path);
    const absent = proxy.fault({ when: isOfIstio, fault: { kind: "status", code: 404 } });
    proxy.interrupt({ kind: "cut" }, isOfIstio);
    await eventually(() => assert.ok(absent.hits() > 4));
    // Triggers a reconciliation of the server.
    await stage.objects.patch("Service", "mlflow", { metadata: { annotations: { touched: "yes" } } });
    await steadily(async () => assert.deepEqual(await versions(), before), 1.5);
    await stage.stop();
    await stage.start();
    await eventually(() => assert.ok(stage.operator().log.some(({ message }) => message === "all watches are synced")));
    await steadily(async () => {
      assert.deepEqual(await versions(), before);
      assert.deepEqual(await taken(stage), order);
    }, 2);
    proxy.clear();
    await says(stage, "MeshEnforced");
    assert.deepEqual(await versions(), before);
  });

  test("starts no listener for traces while the operator's own requests time out", async (context) => {
    await installIstioDefinitions(cluster);
    let result: ProbeAnswer = { kind: "unanswered", why: "no response within 3 s" };
    const stage = await set(context, { operator: { timing, probe: async () => result } });
    const istio = istiod(stage.objects);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql, mesh, { "spec.traces.identity": "Mesh" }));
    await stage.ready("mlflow", 60);
    for (const [index, prove] of (await proofs(stage)).entries()) {
      await reaches(stage, order.slice(0, index + 1));
      await prove();
    }
    for (const policy of ["mlflow-traces-writers-only", "mlflow-traces-allow-writers"]) {
      await eventually(async () =>
        assert.match((await says(stage, "MeshPolicyNotAccepted")).message, new RegExp(`/${policy} `)),
      );
      await istio.accept(policy);
    }
    assert.match((await says(stage, "MeshNotProbed")).message, /stays closed: .*no response within 3 s/);
    const names = async () => (await stage.objects.list("Deployment")).map(({ metadata }) => metadata.name);
    assert.ok(!(await names()).includes("mlflow-traces"));
    result = { kind: "closed" };
    await says(stage, "MeshEnforced");
    await eventually(async () => assert.ok((await names()).includes("mlflow-traces")));
  });

  test("keeps its objects if other servers have the names of its waypoint and listener, which become available when it is deleted", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context, denying);
    const istio = istiod(stage.objects);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql, mesh, { "spec.traces.identity": "Mesh" }));
    await stage.ready("mlflow", 60);
    for (const [index, prove] of (await proofs(stage)).entries()) {
      await reaches(stage, order.slice(0, index + 1));
      await prove();
    }
    await says(stage, "MeshPolicyNotAccepted");
    for (const policy of ["mlflow-traces-writers-only", "mlflow-traces-allow-writers"]) await istio.accept(policy);
    await says(stage, "MeshEnforced");
    const state = async () => {
      const kinds = ["Deployment", "ServiceAccount", "Service", "NetworkPolicy"] as const;
      const found = (await Promise.all(kinds.map((kind) => stage.objects.list(kind)))).flat();
      const theirs = found.filter(({ metadata }) => /^mlflow(-traces|-waypoint)?$/.test(metadata.name));
      return theirs.map(({ kind, metadata }) => [kind, metadata.uid, metadata.generation, metadata.ownerReferences]);
    };
    const before = await state();
    for (const [name, owner] of [
      ["mlflow-traces", "MlflowServer/mlflow"],
      ["mlflow-waypoint", "Gateway/mlflow-waypoint, the waypoint of MlflowServer/mlflow"],
    ] as const) {
      await stage.apply(server(name));
      const { message } = condition(await stage.stalled("NameConflict", name, 60), "Stalled");
      assert.match(
        message,
        new RegExp(
          `/${name} in namespace .* belongs to ${owner}, so the operator applies nothing for this server: .*another name`,
        ),
      );
    }
    const ofServers = (await state()).filter(([kind]) => kind !== "NetworkPolicy");
    assert.deepEqual(
      ofServers,
      before.filter(([kind]) => kind !== "NetworkPolicy"),
    );
    const run = [...(await stage.objects.list("Job")), ...(await stage.objects.list("Pod"))];
    const runningFor = new Set(run.flatMap(({ metadata }) => metadata.labels?.[label.server] ?? []));
    assert.deepEqual(runningFor, new Set(["mlflow"]), "no pod uses the ServiceAccount of another server");
    await says(stage, "MeshEnforced");
    await stage.objects.remove("MlflowServer", "mlflow", { propagationPolicy: "Foreground" });
    for (const name of ["mlflow-traces", "mlflow-waypoint"]) await stage.ready(name, 120);
  });

  test("reports servers with the names of its waypoint and listener, does not change their objects, and continues when they are deleted", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context, denying);
    const istio = istiod(stage.objects);
    await stage.objects.create("Secret", databaseSecret);
    for (const name of ["mlflow-traces", "mlflow-waypoint"]) await stage.apply(server(name));
    for (const name of ["mlflow-traces", "mlflow-waypoint"]) await stage.ready(name, 60);
    const since = await stage.mark();
    await stage.apply(server("mlflow", onPostgresql, mesh, { "spec.traces.identity": "Mesh" }));
    const { message } = condition(await stage.stalled("NameConflict", "mlflow", 60), "Stalled");
    assert.match(message, /\/mlflow-traces in namespace .* belongs to MlflowServer\/mlflow-traces, .*another name/);
    await eventually(async () =>
      assert.match(
        (await says(stage, "NameConflict")).message,
        /^Service\/mlflow-waypoint belongs to MlflowServer\/mlflow-waypoint, .*another name/,
      ),
    );
    for (const name of ["mlflow-traces", "mlflow-waypoint"]) await stage.ready(name);
    const touched = (await stage.writes(since)).filter(
      ({ uri, verb, resource, code }) =>
        /\/mlflow-(traces|waypoint)\b/.test(uri) && verb !== "create" && resource !== "mlflowservers" && code < 300,
    );
    assert.deepEqual(
      touched.filter(({ resource }) => resource !== "gateways"),
      [],
    );

    await stage.objects.remove("MlflowServer", "mlflow-waypoint");
    await says(stage, "WaypointNotProgrammed", 120);
    await stage.objects.remove("MlflowServer", "mlflow-traces");
    await stage.ready("mlflow", 120);
    for (const [index, prove] of (await proofs(stage)).entries()) {
      await reaches(stage, order.slice(0, index + 1));
      await prove();
    }
    for (const policy of ["mlflow-traces-writers-only", "mlflow-traces-allow-writers"]) await istio.accept(policy);
    await says(stage, "MeshEnforced");
  });

  test("becomes available if an unmanaged Gateway has the waypoint's name, and reports it", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    const listeners = [{ name: "mesh", port: 15008, protocol: "HBONE" }];
    const spec = { gatewayClassName: "istio-waypoint", listeners };
    await stage.objects.create("Gateway", { metadata: { name: "mlflow-waypoint" }, spec });
    await stage.apply(server("mlflow", mesh));
    await stage.stalled("NameConflict", "mlflow", 60);
    assert.match(
      (await says(stage, "NameConflict")).message,
      /Gateway\/mlflow-waypoint .*does not belong to this server/,
    );
    await eventually(async () =>
      assert.equal((await stage.objects.the("Deployment", "mlflow")).status?.readyReplicas, 1),
    );
    assert.deepEqual((await stage.objects.the("Gateway", "mlflow-waypoint")).spec.infrastructure, undefined);
    await stage.objects.remove("Gateway", "mlflow-waypoint");
    // Unmanaged objects are not watched: they are checked again every 30 s.
    await says(stage, "WaypointNotProgrammed", 120);
  });

  test("without writers and with a prefix: the API server accepts every form of the policy", async (context) => {
    await installIstioDefinitions(cluster);
    const stage = await set(context);
    await stage.apply(
      server("mlflow", mesh, {
        "spec.traces": { writers: [] },
        "spec.exposure": { externalURL: "https://platform.example.com/clusters/c1/mlflow" },
      }),
    );
    await stage.ready("mlflow", 60);
    await reaches(stage, ["waypoint"]);
    await istiod(stage.objects).program();
    await reaches(stage, order.slice(0, 2));
    const { spec } = await stage.objects.the("AuthorizationPolicy", "mlflow-trace-writers");
    assert.ok(spec.rules?.every(({ from }) => from === undefined));
    assert.equal(spec.rules?.length, 2);
  });
});
