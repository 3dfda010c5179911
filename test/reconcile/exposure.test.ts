import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Exposure as Settings } from "../../src/api/fields/exposure.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment, Owned, ReportedCondition } from "../../src/kube/manifests.ts";
import { addressesOf, routeKinds } from "../../src/model/exposure.ts";
import { type ExposureView, exposureOf } from "../../src/reconcile/exposure.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { all, completedJob, inputs, server } from "../support/fixtures.ts";

const externalURL = "https://platform.example.com/clusters/c1/mlflow";
const parentRefs = [{ name: "platform", namespace: "gateways" }];
const settings: Settings = { externalURL, ingress: {}, httpRoute: { parentRefs } };
const led = server({ exposure: settings });

/** A server of this name and age, by default in `team-a`. */
function aged(name: string, age: string, exposure: Settings = settings, namespace = "team-a"): MlflowServer {
  const metadata = { name, namespace, uid: `uid-of-${name}`, creationTimestamp: age };
  return server({ exposure }, { metadata });
}

const having = (of: MlflowServer, addresses = [...addressesOf(of)]): MlflowServer => ({ ...of, status: { addresses } });

/** The server with all its routes, accepted by their controllers. */
function there(of: MlflowServer, conditions: readonly ReportedCondition[] = [said("Accepted"), said("ResolvedRefs")]) {
  const owned = all(inputs(of)).map((manifest): Owned => {
    if (manifest.kind === "Ingress")
      return { ...manifest, status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } };
    if (manifest.kind !== "HTTPRoute") return manifest;
    const parents = manifest.spec.parentRefs.map((parentRef) => ({ parentRef, conditions: [...conditions] }));
    return { ...manifest, metadata: { ...manifest.metadata, generation: 2 }, status: { parents } };
  });
  return { server: of, owned };
}

function said(type: string, more: Partial<ReportedCondition> = {}): ReportedCondition {
  return { type, status: "True", reason: type, observedGeneration: 2, ...more };
}

const bare = (of: MlflowServer) => ({ server: of, owned: [] });
const known = new Set(routeKinds);
const seen = (own: Pick<ExposureView, "server" | "owned">, more: Partial<ExposureView> = {}) =>
  exposureOf({ ...own, competitors: [], known, ...more });
const reason = (...args: Parameters<typeof seen>) => seen(...args).condition?.reason;

const rolledOut = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };

/** The plan with these objects, a complete migration, and pods in this state. */
function plan(
  of: MlflowServer,
  owned: readonly Owned[],
  status: Deployment["status"] = rolledOut,
  exposure: Partial<ReturnType<typeof exposureOf>> = {},
) {
  const wanted = { ...inputs(of), ...(exposure.routes && { routes: exposure.routes }) };
  const { installation, references } = wanted;
  const live = owned.map((object): Owned => {
    if (object.kind === "Job") return completedJob(object);
    return object.kind === "Deployment" ? { ...object, ...(status && { status }) } : object;
  });
  const observed = {
    server: of,
    owned: live,
    unmanaged: [],
    granted: [],
    references,
    model: resolve(wanted),
    installation,
  };
  const { groups } = planOf({
    ...observed,
    exposure: {
      keepsRoutes: exposure.keepsRoutes ?? false,
      addresses: [],
      isExclusive: exposure.isExclusive ?? true,
    },
    isMutatedByAdmission: () => false,
    now: new Date(0),
  });
  return groups.map((group) =>
    group.map((step) => `${step.do} ${"live" in step ? step.live.kind : "manifest" in step ? step.manifest.kind : ""}`),
  );
}

describe("the condition Exposed", () => {
  test("is True if all routes match the spec and their controllers accept them", () => {
    assert.deepEqual([seen(there(led)).condition?.status, reason(there(led))], ["True", "Exposed"]);
    assert.equal(seen(there(server())).condition, undefined);
    assert.equal(seen(there(server({ exposure: { externalURL } }))).condition, undefined);
  });

  test("reports each missing condition", () => {
    assert.equal(reason(bare(led)), "RouteProgressing");
    assert.equal(reason(there(led, [])), "RouteNotAccepted");
    assert.equal(reason(there(led, [said("Accepted", { status: "False" })])), "RouteNotAccepted");
    assert.equal(reason(there(led, [said("Accepted", { observedGeneration: 1 })])), "RouteNotAccepted");
    assert.equal(reason(there(led, [said("Accepted"), said("ResolvedRefs", { status: "False" })])), "RouteNotResolved");
    const unserved = there(led);
    const owned = unserved.owned.map((each) => (each.kind === "Ingress" ? { ...each, status: {} } : each));
    const found = seen({ ...unserved, owned }).condition;
    assert.deepEqual([found?.status, found?.reason], ["Unknown", "IngressWithoutAddress"]);
  });

  test("reports that the cluster does not have the kind HTTPRoute, and routes by the Ingress", () => {
    const found = seen(there(led), { known: new Set(["Ingress"]) });
    assert.equal(found.condition?.reason, "GatewayApiMissing");
    assert.deepEqual([...found.routes], ["Ingress"]);
  });
});

describe("a Service for clients outside the cluster", () => {
  const by = (type: "LoadBalancer" | "NodePort") =>
    server({ service: { type }, exposure: { externalURL }, authentication: { basic: {} } });
  const withStatus = (of: MlflowServer, ingress: object[]) => {
    const { owned } = there(of);
    return {
      server: of,
      owned: owned.map((each) => (each.kind === "Service" ? { ...each, status: { loadBalancer: { ingress } } } : each)),
    };
  };

  test("is exposed when the load balancer has an address, and with ports of the nodes immediately", () => {
    const balanced = by("LoadBalancer");
    assert.equal(reason(bare(balanced)), "RouteProgressing");
    const waiting = seen(there(balanced)).condition;
    assert.deepEqual([waiting?.status, waiting?.reason], ["Unknown", "LoadBalancerWithoutAddress"]);
    assert.match(waiting?.message ?? "", /Service\/demo-external/);
    assert.equal(reason(withStatus(balanced, [{ hostname: "lb.example.com" }])), "Exposed");
    assert.equal(reason(there(by("NodePort"))), "Exposed");
    assert.deepEqual([...seen(there(balanced)).addresses], [], "its address is its own, so it competes for no host");
  });

  test("is created when all pods run the spec, and deleted before the pods of another spec", () => {
    const balanced = by("LoadBalancer");
    const everything = all(inputs(balanced));
    const inside = everything.filter(({ metadata }) => metadata.name !== "demo-external");
    assert.deepEqual(plan(balanced, inside), [["create Service"]]);
    assert.deepEqual(plan(balanced, inside, { ...rolledOut, replicas: 2 }), []);
    const basic = server({ authentication: { basic: {} } });
    assert.deepEqual(plan(basic, everything).slice(0, 2), [["delete Service"], ["apply Deployment"]]);
  });

  test("delays pods without authentication until it no longer exists", () => {
    const closed = { ...by("LoadBalancer").spec, authentication: { kubernetes: {} } };
    const everything = all(inputs(server(closed)));
    const open = server({ authentication: { none: {} } });
    const writes = (owned: readonly Owned[]) => plan(open, owned).flat();
    assert.ok(writes(everything).includes("delete Service"));
    assert.ok(!writes(everything).some((step) => step.includes("Deployment")), writes(everything).join());
    const terminating = everything.map((each) =>
      each.metadata.name === "demo-external"
        ? { ...each, metadata: { ...each.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } }
        : each,
    );
    assert.ok(!writes(terminating).some((step) => step.includes("Deployment")));
    const gone = everything.filter(({ metadata }) => metadata.name !== "demo-external");
    assert.ok(writes(gone).includes("apply Deployment"));
  });
});

describe("an address that two servers request", () => {
  const [old, young] = [aged("old", "2026-01-01T00:00:00Z"), aged("young", "2026-01-02T00:00:00Z")];

  test("goes to the older one if neither or both have it", () => {
    for (const as of [(of: MlflowServer) => of, having]) {
      assert.notEqual(reason(there(as(old)), { competitors: [as(young)] }), "HostConflict");
      const found = seen(bare(as(young)), { competitors: [as(old)] });
      assert.equal(found.condition?.reason, "HostConflict");
      assert.deepEqual([...found.routes, ...found.addresses], []);
    }
  });

  test("is routed only to the server that has it alone in the statuses", () => {
    assert.equal(seen(bare(young)).isExclusive, false);
    assert.equal(seen(bare(having(young))).isExclusive, true);
    assert.equal(seen(bare(having(old)), { competitors: [young] }).isExclusive, true);
    // Both found it free at the same time: the older one waits until the other has released it.
    assert.equal(seen(bare(having(old)), { competitors: [having(young)] }).isExclusive, false);
    const lost = seen(there(having(young)), { competitors: [having(old)] });
    assert.deepEqual([lost.keepsRoutes, lost.addresses], [false, addressesOf(young)]);
    assert.deepEqual(seen(bare(having(young)), { competitors: [having(old)] }).addresses, []);
  });

  test("loses its route to a server without it in the status, such as after restoring a backup without statuses", () => {
    assert.equal(seen(there(young), { competitors: [having(old)] }).keepsRoutes, false);
    assert.equal(seen(there(young), { competitors: [old] }).keepsRoutes, false);
  });

  test("stays with its server if an older one requests it, whose routes stay", () => {
    const former = having(old, ["former.example.com"]);
    const { owned } = there(
      aged("old", "2026-01-01T00:00:00Z", { externalURL: "https://former.example.com", ingress: {} }),
    );
    const found = seen({ server: former, owned }, { competitors: [having(young)] });
    assert.equal(found.condition?.reason, "HostConflict");
    assert.deepEqual([found.keepsRoutes, found.addresses], [true, ["former.example.com"]]);
    assert.deepEqual(seen(bare(former), { competitors: [having(young)] }).addresses, [], "no route uses it");
    assert.equal(reason(there(having(young)), { competitors: [former] }), "Exposed");
  });

  test("is released only when no route uses it", () => {
    const moved = having(young, ["former.example.com"]);
    const { owned } = there(
      aged("young", "2026-01-02T00:00:00Z", { externalURL: "https://former.example.com", ingress: {} }),
    );
    const now = "platform.example.com/clusters/c1/mlflow";
    assert.deepEqual(seen({ server: moved, owned }).addresses, [now, "former.example.com"]);
    assert.deepEqual(seen(there(moved)).addresses, [now]);
    const plain = { ...server(), status: { addresses: [now] } };
    assert.deepEqual(seen({ server: plain, owned }).addresses, [now]);
    assert.deepEqual(seen(bare(plain)).addresses, []);
    assert.equal(reason(there(old), { competitors: [plain] }), "HostConflict");
  });

  test("goes by name to one of two servers of the same second", () => {
    const [a, b] = [aged("a", "2026-01-01T00:00:00Z"), aged("b", "2026-01-01T00:00:00Z")];
    assert.equal(reason(bare(b), { competitors: [a] }), "HostConflict");
    assert.notEqual(reason(bare(a), { competitors: [b] }), "HostConflict");
  });

  test("is reported with the name of the other server only within one namespace", () => {
    assert.match(seen(bare(young), { competitors: [old] }).condition?.message ?? "", /MlflowServer old/);
    const far = aged("secret", "2026-01-01T00:00:00Z", settings, "team-b");
    const message = seen(bare(young), { competitors: [far] }).condition?.message ?? "";
    assert.match(message, /an MlflowServer in another namespace/);
    assert.doesNotMatch(message, /secret|team-b/);
  });
});

describe("a route to a server", () => {
  const everything = all(inputs(led));
  const withoutRoutes = everything.filter(({ kind }) => kind !== "Ingress" && kind !== "HTTPRoute");

  test("is created only when all pods run the current spec", () => {
    assert.deepEqual(plan(led, withoutRoutes), [["create Ingress", "create HTTPRoute"]]);
    assert.deepEqual(plan(led, withoutRoutes, { ...rolledOut, replicas: 2 }), []);
    assert.deepEqual(plan(led, withoutRoutes, { ...rolledOut, availableReplicas: 0 }), []);
    const formerPods = withoutRoutes.map((each) =>
      each.kind === "Deployment" ? { ...each, spec: { ...each.spec, replicas: 7 } } : each,
    );
    assert.deepEqual(plan(led, formerPods), [["apply Deployment"]]);
  });

  test("is removed before pods start that may not require authentication", () => {
    const closed = server({ exposure: settings, authentication: { kubernetes: {} } });
    const groups = plan(server({ authentication: { none: {} } }), all(inputs(closed)));
    // The API server's ports are no longer among those that the pods can reach at any address.
    assert.deepEqual(groups.slice(0, 2), [["apply NetworkPolicy"], ["delete Ingress", "delete HTTPRoute"]]);
    assert.ok(groups[2]?.includes("apply Deployment"), JSON.stringify(groups));
  });

  test("waits until the statuses show the address as exclusive", () => {
    assert.deepEqual(plan(led, withoutRoutes, rolledOut, { isExclusive: false }), []);
    assert.deepEqual(plan(led, everything, rolledOut, { isExclusive: false }), []);
  });

  test("stays if another server has the newly requested address", () => {
    assert.deepEqual(plan(led, everything, rolledOut, { routes: new Set(), keepsRoutes: true }), []);
    assert.deepEqual(plan(led, everything, rolledOut, { routes: new Set(), keepsRoutes: false }), [
      ["delete Ingress", "delete HTTPRoute"],
    ]);
  });
});
