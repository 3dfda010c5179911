import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type {
  AuthorizationPolicy,
  Deployment,
  Gateway,
  OtherResource,
  Owned,
  Service,
} from "../../src/kube/manifests.ts";
import { type MeshStep, meshSteps as stepsByMode } from "../../src/model/mesh.ts";
import { meshOf } from "../../src/reconcile/mesh.ts";
import type { MeshView } from "../../src/reconcile/mesh-view.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import type { Step } from "../../src/reconcile/step.ts";
import { all, completedJob, inputs, server } from "../support/fixtures.ts";
import {
  acceptedPolicy,
  bound,
  denied,
  enrolledPod,
  meshView,
  processedByIstio,
  programmed,
  waypointDeployment,
} from "../support/istio.ts";

const writers = [{ namespace: "agents", serviceAccount: "otel-collector" }];
const meshed = server({ traces: { writers }, mesh: { istio: { mode: "Ambient" } } });
const plain = server();
const meshSteps = stepsByMode.Ambient;

/** The objects of a server with these mesh steps, all accepted by Istio. */
function world(steps: readonly MeshStep[], of: MlflowServer = meshed): Owned[] {
  const wanted = { ...inputs(of), mesh: new Set(steps) };
  return [...all(wanted).map(processedByIstio), enrolledPod()];
}

const everything = world(meshSteps);
const view = (owned: readonly Owned[], more: Partial<MeshView> = {}) => meshView(meshed, owned, more);
const mesh = (...args: Parameters<typeof view>) => meshOf(view(...args));
const steps = (...args: Parameters<typeof view>) => [...mesh(...args).steps];
const reason = (...args: Parameters<typeof view>) => mesh(...args).condition?.reason;

/** The objects with one object changed. */
function having<T extends Owned>(kind: T["kind"], name: string, change: (object: T) => T, from = everything): Owned[] {
  let isFound = false;
  const changed = from.map((object) => {
    if (object.kind !== kind || object.metadata.name !== name) return object;
    isFound = true;
    return change(object as T);
  });
  assert.ok(isFound, `there is no ${kind} ${name}`);
  return changed;
}
const without = (kind: string, name: string) =>
  everything.filter((object) => object.kind !== kind || object.metadata.name !== name);

describe("adding a server to the mesh", () => {
  test("applies one step after the other, each when those before it are verified", () => {
    for (const [index, step] of meshSteps.entries()) {
      assert.deepEqual(steps(world(meshSteps.slice(0, index))), meshSteps.slice(0, index + 1), step);
    }
    assert.deepEqual(mesh(everything).condition?.status, "True");
  });

  test("waits for a step that is applied and not accepted", () => {
    const raw = (names: readonly MeshStep[]) => all({ ...inputs(meshed), mesh: new Set(names) });
    for (const [index, step] of meshSteps.entries()) {
      const before = world(meshSteps.slice(0, index));
      const written = raw(meshSteps.slice(0, index + 1)).filter(
        (object) =>
          !before.some(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name),
      );
      const unbound = raw(meshSteps).filter(({ kind }) => kind === "Service");
      if (step === "ambient") continue;
      const rest = step === "binding" ? before.filter(({ kind }) => kind !== "Service") : before;
      const now = [...rest, ...(step === "binding" ? unbound : written)];
      assert.deepEqual(steps(now), meshSteps.slice(0, index + 1), step);
      assert.equal(mesh(now).condition?.status, "False", step);
    }
  });

  test("does not deny bypass of pods that are not verified to be in the mesh", () => {
    const bound = world(meshSteps.slice(0, 4)).filter(({ kind }) => kind !== "Pod");
    const outside = [...bound, enrolledPod({})];
    assert.deepEqual(steps(outside), meshSteps.slice(0, 4));
    assert.equal(reason(outside), "PodsNotEnrolled");
    assert.ok(!steps(bound).includes("denyBypass"));
  });

  test("reports that older pods are being replaced, and does not probe while one of them still serves requests", () => {
    const pods = everything.filter(({ kind }) => kind !== "Pod");
    const probes = () => assert.fail("it has probed");
    assert.equal(reason([...pods, enrolledPod({}, { isOutdated: true })]), "MeshProgressing");
    const ending = enrolledPod({}, { isOutdated: true, isTerminating: true });
    const { condition } = mesh([...everything, ending], { probes });
    assert.deepEqual([condition?.status, condition?.reason], ["False", "MeshProgressing"]);
    assert.match(condition?.message ?? "", /pod demo-server-pod-of-before, which is not in the mesh, is terminating/);
    assert.deepEqual(steps([...world(meshSteps.slice(0, 5)), ending]), meshSteps, "it blocks nothing");
    assert.equal(mesh([...everything, enrolledPod(undefined, { isTerminating: true })]).condition?.status, "True");
  });

  test("never removes a step: a missing object is restored immediately", () => {
    for (const lost of everything.filter(({ kind }) => kind === "Gateway" || kind === "AuthorizationPolicy")) {
      const now = without(lost.kind, lost.metadata.name);
      const kept = lost.metadata.name === "demo-waypoint-only" ? [...meshSteps] : meshSteps;
      assert.deepEqual(steps(now), kept, lost.metadata.name);
      assert.equal(reason(now), "MeshProgressing");
    }
    assert.deepEqual(steps(everything, { unmanaged: [] }), [...meshSteps]);
  });
});

/** The steps of a reconciliation with a complete migration. */
function planFor(of: MlflowServer, owned: readonly Owned[], more: Partial<MeshView> = {}): Step[] {
  const { steps: turn, keepsPolicies = false } = meshOf(view(owned, { server: of, ...more }));
  const wanted = { ...inputs(of), mesh: turn, keepsMeshPolicies: keepsPolicies };
  const { installation, references } = wanted;
  const completed = owned.map((object): Owned => (object.kind === "Job" ? completedJob(object) : object));
  const observed = {
    server: of,
    owned: completed,
    unmanaged: [],
    granted: [],
    references,
    model: resolve(wanted),
    installation,
  };
  return planOf({ ...observed, isMutatedByAdmission: () => false, now: new Date(0) }).groups.flat();
}

test("a trust domain that is not the mesh's changes no policy of a server in the mesh, because all clients would be denied", () => {
  const wrong = server({
    traces: { writers },
    mesh: { istio: { mode: "Ambient", trustDomain: "other.example" } },
  });
  const unmanaged = [inTrustDomain("cluster.local")];
  const changed = (of: MlflowServer) =>
    planFor(of, everything, { unmanaged }).map((step) => ("manifest" in step ? step.manifest.kind : step.do));
  assert.deepEqual(changed(wrong), []);
  assert.deepEqual(changed(meshed), []);
  const fewer = server({ traces: { writers: [] }, mesh: { istio: { mode: "Ambient" } } });
  assert.deepEqual(changed(fewer), ["AuthorizationPolicy"], "so a change of the policies would be detected");
});

describe("removing a server from the mesh", () => {
  const plan = (owned: readonly Owned[]) => planFor(plain, owned);

  test("removes the steps in reverse order, one per reconciliation", () => {
    let owned = everything;
    const order: string[] = [];
    for (let pass = 0; pass < 8; pass += 1) {
      const deleted = plan(owned).flatMap((step: Step) => (step.do === "delete" ? [step.live] : []));
      const applied = plan(owned).flatMap((step: Step) => (step.do === "apply" ? [step.manifest] : []));
      order.push(...deleted.map(({ metadata }) => metadata.name));
      if (applied.some(({ kind }) => kind === "Service")) order.push("labels");
      if (applied.some(({ kind }) => kind === "Deployment")) order.push("pods");
      owned = owned
        .filter((object) => !deleted.includes(object))
        .map(
          (object) =>
            applied.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name) ??
            object,
        );
    }
    assert.deepEqual(order, [
      "demo-waypoint-only",
      "demo-allow-waypoint",
      "labels",
      "demo-trace-writers",
      "demo-waypoint",
      "demo-waypoint",
      "pods",
    ]);
    assert.deepEqual(plan(owned), []);
  });

  test("reports no condition for a mesh that the spec does not have", () => {
    assert.equal(meshOf(view(everything, { server: plain })).condition, undefined);
  });
});

describe("a mesh with sidecars", () => {
  const inSidecars = server({ traces: { writers }, mesh: { istio: { mode: "Sidecar" } } });
  const injected = () => enrolledPod({ "sidecar.istio.io/status": "{}" });
  const ofSidecars = (names: readonly MeshStep[], pod = injected()) => [
    ...world(names, inSidecars).filter(({ kind }) => kind !== "Pod"),
    pod,
  ];
  const seen = (owned: readonly Owned[], more: Partial<MeshView> = {}) => {
    const { steps: turn, condition } = mesh(owned, { server: inSidecars, ...more });
    return { steps: [...turn], status: condition?.status, reason: condition?.reason };
  };

  test("has its policy when each pod has a sidecar", () => {
    assert.deepEqual(seen([]), { steps: ["sidecar"], status: "False", reason: "MeshProgressing" });
    const without = seen(ofSidecars(["sidecar"], enrolledPod({}, { mode: "Sidecar" })));
    assert.deepEqual(without, { steps: ["sidecar"], status: "False", reason: "PodsNotEnrolled" });
    assert.deepEqual(seen(ofSidecars(["sidecar"])).steps, ["sidecar", "inbound"]);
    const whole = seen(ofSidecars(["sidecar", "inbound"]));
    assert.deepEqual(whole, { steps: ["sidecar", "inbound"], status: "True", reason: "MeshEnforced" });
  });

  test("removes its policy from pods in ambient mode, which it would make unreachable", () => {
    const ambient = seen(ofSidecars(["sidecar", "inbound"], enrolledPod(undefined, { mode: "Sidecar" })));
    assert.deepEqual(ambient, { steps: ["sidecar"], status: "False", reason: "PodsNotEnrolled" });
  });

  test("reports another policy that selects the pods, or all pods", () => {
    const policyOf = (spec: AuthorizationPolicy["spec"]): OtherResource => ({
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "other", namespace: "team-a" },
      spec,
    });
    const matchLabels = { "mlflow-operator.dev/server": "demo" };
    const whole = ofSidecars(["sidecar", "inbound"]);
    const reasonWith = (spec: AuthorizationPolicy["spec"]) => seen(whole, { otherResources: [policyOf(spec)] }).reason;
    assert.equal(reasonWith({ rules: [{}] }), "ConflictingPolicy");
    assert.equal(reasonWith({ selector: { matchLabels }, rules: [{}] }), "ConflictingPolicy");
    assert.equal(reasonWith({ selector: { matchLabels: { app: "other" } }, rules: [{}] }), "MeshEnforced");
    assert.equal(reasonWith({}), "MeshEnforced", "one without rules allows no client");
    assert.equal(reasonWith({ action: "DENY", rules: [{}] }), "MeshEnforced");
  });

  test("is set up after ambient mode is removed, step by step, and in reverse", () => {
    const order: string[] = [];
    for (let reached = meshSteps.length; reached >= 0; reached -= 1) {
      const now = seen(world(meshSteps.slice(0, reached)));
      order.push(now.steps.at(-1) ?? "none");
      assert.equal(now.reason, "MeshProgressing");
    }
    assert.deepEqual(order, ["allowFromWaypoint", "binding", "traces", "waypoint", "ambient", "none", "sidecar"]);
    assert.deepEqual(steps(ofSidecars(["sidecar", "inbound"])), ["sidecar"]);
    assert.deepEqual(steps(ofSidecars(["sidecar"])), []);
    assert.deepEqual(steps(ofSidecars([])), ["ambient"]);
  });
});

describe("writers without a mesh", () => {
  const condition = (spec: Parameters<typeof server>[0]) =>
    mesh([], { server: server({ traces: { writers }, ...spec }) }).condition;

  test("are not enforced, and the condition names what protects traces instead", () => {
    assert.deepEqual([condition({})?.status, condition({})?.reason], ["False", "MeshNotConfigured"]);
    assert.match(condition({})?.message ?? "", /any client that the server authenticates/);
    assert.match(
      condition({ authentication: { none: {} } })?.message ?? "",
      /any client that reaches the server's port/,
    );
  });
});

test("without the kinds in the cluster nothing is applied and the server serves requests", () => {
  assert.deepEqual(steps([], { isAvailable: false, otherResources: undefined }), []);
  assert.equal(reason(everything, { isAvailable: false }), "IstioMissing");
  assert.match(mesh([], { isAvailable: false }).condition?.message ?? "", /Install .*or leave out spec\.mesh/);
});

describe("MeshReady is False, with the cause and the fix, when", () => {
  const gateway = (change: (of: Gateway) => Gateway) => having<Gateway>("Gateway", "demo-waypoint", change);
  const policy = (name: string, condition: Parameters<typeof acceptedPolicy>[1]) =>
    having<AuthorizationPolicy>("AuthorizationPolicy", name, (of) => acceptedPolicy(of, condition));
  const other = (spec: AuthorizationPolicy["spec"]): OtherResource => ({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "other", namespace: "team-a" },
    spec,
  });
  const service = (selector: Record<string, string>): OtherResource => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "other", namespace: "team-a" },
    spec: { selector },
  });
  const toGateway = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "demo-waypoint" };
  const cases: readonly (readonly [string, string, Parameters<typeof view>])[] = [
    [
      "the Gateway has no status",
      "WaypointNotProgrammed",
      [gateway(({ status: _, ...rest }) => ({ ...rest, metadata: { ...rest.metadata, generation: 1 } }))],
    ],
    [
      "the Gateway's status is of a previous form",
      "WaypointNotProgrammed",
      [gateway((of) => ({ ...of, metadata: { ...of.metadata, generation: 2 } }))],
    ],
    [
      "the Gateway has no address",
      "WaypointWithoutAddress",
      [gateway((of) => ({ ...of, status: { ...programmed(of).status, addresses: [] } }))],
    ],
    [
      "the waypoint has no pod, though all conditions are True",
      "WaypointUnavailable",
      [everything, { unmanaged: [waypointDeployment(0)] }],
    ],
    [
      "the waypoint's Deployment is not Istio's",
      "WaypointUnavailable",
      [everything, { unmanaged: [withoutOwner(waypointDeployment())] }],
    ],
    [
      "the waypoint runs under another name",
      "WaypointIdentityUnexpected",
      [everything, { unmanaged: [waypointDeployment(1, "x")] }],
    ],
    [
      "the mesh has another trust domain",
      "TrustDomainUnexpected",
      [everything, { unmanaged: [inTrustDomain("prod.example")] }],
    ],
    [
      "the policy has a condition of an earlier generation",
      "MeshPolicyNotAccepted",
      [policy("demo-trace-writers", { observedGeneration: 0 })],
    ],
    [
      "the policy's status does not say of which form",
      "MeshPolicyNotAccepted",
      [policy("demo-trace-writers", { observedGeneration: Number.NaN })],
    ],
    [
      "the policy is not bound",
      "MeshPolicyNotAccepted",
      [policy("demo-trace-writers", { status: "False", reason: "AncestorNotBound" })],
    ],
    [
      "ztunnel has dropped a part of the lock",
      "MeshPolicyNotAccepted",
      [policy("demo-waypoint-only", { reason: "UnsupportedValue" })],
    ],
    [
      "ztunnel has dropped a part of the allowFromWaypoint",
      "MeshPolicyNotAccepted",
      [policy("demo-allow-waypoint", { reason: "UnsupportedValue" })],
    ],
    [
      "the policy has been widened",
      "MeshProgressing",
      [
        having<AuthorizationPolicy>("AuthorizationPolicy", "demo-trace-writers", (of) => ({
          ...of,
          spec: { ...of.spec, rules: [{}] },
        })),
      ],
    ],
    [
      "the Service is bound to another waypoint",
      "ServiceNotBound",
      [having<Service>("Service", "demo", (of) => bound(of, "attached to waypoint team-a/other"))],
    ],
    [
      "a pod is not in the mesh",
      "PodsNotEnrolled",
      [[...everything.filter(({ kind }) => kind !== "Pod"), enrolledPod({})]],
    ],
    [
      "a pod has a sidecar",
      "PodsNotEnrolled",
      [[...everything, enrolledPod({ "ambient.istio.io/redirection": "enabled", "sidecar.istio.io/status": "{}" })]],
    ],
    [
      "another policy opens the waypoint",
      "ConflictingPolicy",
      [everything, { otherResources: [other({ targetRefs: [toGateway], rules: [{}] })] }],
    ],
    [
      "another Service selects the pods",
      "ConflictingService",
      [everything, { otherResources: [service({ "mlflow-operator.dev/server": "demo" })] }],
    ],
    [
      "the operator got an answer, regardless of all conditions",
      "MeshNotEnforced",
      [
        everything,
        { probes: () => ({ ...denied, notDenied: ["pod demo-1 (10.0.0.1:5000) answered POST /v1/traces with 401"] }) },
      ],
    ],
    ["the operator has not probed yet", "MeshProgressing", [everything, { probes: () => undefined }]],
    ["the namespace has not been checked", "MeshProgressing", [everything, { otherResources: undefined }]],
  ];
  for (const [title, expected, args] of cases) {
    test(title, () => {
      const { condition } = mesh(...args);
      assert.deepEqual([condition?.status, condition?.reason], ["False", expected], condition?.message ?? "");
      assert.ok((condition?.message ?? "").length > 20);
    });
  }

  test("is True with objects that do not conflict", () => {
    const toOther = { ...toGateway, name: "other-waypoint" };
    assert.equal(reason(everything, { unmanaged: [inTrustDomain("cluster.local")] }), "MeshEnforced");
    const otherResources = [
      other({ targetRefs: [toGateway], action: "DENY", rules: [{}] }),
      other({ targetRefs: [toOther], rules: [{}] }),
      other({}),
      service({}),
      service({ app: "other" }),
    ];
    assert.equal(reason(everything, { otherResources }), "MeshEnforced");
  });
});

test("a hibernated server keeps its policies, and MeshReady is Unknown", () => {
  const asleep = { ...meshed, spec: { ...meshed.spec, hibernate: true } };
  const { condition, steps: turn } = mesh(
    everything.filter(({ kind }) => kind !== "Pod"),
    { server: asleep },
  );
  assert.deepEqual([condition?.status, condition?.reason], ["Unknown", "MeshHibernated"]);
  assert.deepEqual([...turn], [...meshSteps]);
});

function withoutOwner(deployment: Deployment): Deployment {
  return { ...deployment, metadata: { ...deployment.metadata, ownerReferences: [] } };
}

function inTrustDomain(value: string): Deployment {
  const deployment = waypointDeployment();
  const containers = [{ name: "istio-proxy", env: [{ name: "TRUST_DOMAIN", value }] }];
  const template = { spec: { ...deployment.spec.template.spec, containers } };
  return { ...deployment, spec: { ...deployment.spec, template } };
}
