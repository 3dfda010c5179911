import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ConfigMap, PersistentVolumeClaim, RoleBinding, Service } from "../../src/kube/manifests.ts";
import { deletionsOf, type LiveObjects, stepsFor } from "../../src/reconcile/object-steps.ts";
import { configMap } from "../support/fixtures.ts";

const wanted = configMap("one", { a: "1" });
const changed = configMap("one", { a: "2" });

function objects(live: LiveObjects["live"], ownership: "owned" | "terminating" | "unmanaged" = "owned"): LiveObjects {
  return { live, ownershipOf: () => ownership, isMutatedByAdmission: () => false };
}

function claim(storage: string): PersistentVolumeClaim {
  const metadata = { name: "data", namespace: "team-a" };
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: { resources: { requests: { storage } } } };
}

function binding(name: string): RoleBinding {
  const apiGroup = "rbac.authorization.k8s.io";
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: "RoleBinding",
    metadata: { name: "grant", namespace: "team-a" },
    roleRef: { apiGroup, kind: "ClusterRole", name },
    subjects: [],
  };
}

describe("the steps for an object", () => {
  test("creates a missing one, and one of which only another namespace has the name", () => {
    const elsewhere: ConfigMap = { ...wanted, metadata: { name: "one", namespace: "team-b" } };
    for (const live of [[], [elsewhere], [configMap("two", { a: "1" })]])
      assert.deepEqual(stepsFor(wanted, objects(live)), [{ do: "create", manifest: wanted }]);
  });

  test("applies a difference, unless admission has made it", () => {
    assert.deepEqual(stepsFor(wanted, objects([wanted])), []);
    assert.deepEqual(stepsFor(wanted, objects([changed])), [{ do: "apply", manifest: wanted, live: changed }]);
    assert.deepEqual(stepsFor(wanted, { ...objects([changed]), isMutatedByAdmission: () => true }), []);
  });

  test("changes and deletes nothing that the operator does not own", () => {
    for (const ownership of ["terminating", "unmanaged"] as const) {
      assert.deepEqual(stepsFor(wanted, objects([changed], ownership)), []);
      assert.deepEqual(deletionsOf([], objects([changed], ownership)), []);
    }
  });

  test("replaces a Service with another primary IP family or class of load balancer, which are immutable", () => {
    const service = (spec: Service["spec"]): Service => {
      const metadata = { name: "demo", namespace: "team-a" };
      return { apiVersion: "v1", kind: "Service", metadata, spec: { type: "LoadBalancer", ...spec } };
    };
    const step = (wantedSpec: Service["spec"], live: Service["spec"]) =>
      stepsFor(service(wantedSpec), objects([service(live)])).map((each) => each.do);
    assert.deepEqual(step({ ipFamilies: ["IPv6"] }, { ipFamilies: ["IPv4", "IPv6"] }), ["delete"]);
    assert.deepEqual(step({ ipFamilies: ["IPv6", "IPv4"] }, { ipFamilies: ["IPv6"] }), ["apply"]);
    assert.deepEqual(step({ loadBalancerClass: "a/b" }, { loadBalancerClass: "a/c" }), ["delete"]);
    assert.deepEqual(step({ loadBalancerClass: "a/b" }, {}), ["delete"]);
    assert.deepEqual(step({ loadBalancerClass: "a/b" }, { type: "NodePort" }), ["delete"]);
    assert.deepEqual(step({ type: "NodePort" }, { loadBalancerClass: "a/b" }), ["apply"]);
    assert.deepEqual(step({}, { loadBalancerClass: "of.a/webhook", ipFamilies: ["IPv4"] }), []);
  });

  test("deletes a binding of another role, whose role is immutable", () => {
    const live = binding("viewer");
    assert.deepEqual(stepsFor(binding("editor"), objects([live])), [{ do: "delete", live }]);
  });

  test("does not shrink a volume", () => {
    assert.deepEqual(stepsFor(claim("1Gi"), objects([claim("2Gi")])), []);
    assert.equal(stepsFor(claim("2Gi"), objects([claim("1Gi")])).length, 1);
  });

  test("deletes owned objects that are not wanted", () => {
    const other = configMap("two", {});
    assert.deepEqual(deletionsOf([wanted], objects([changed, other])), [{ do: "delete", live: other }]);
  });
});
