import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cachedObject, cachedServer, largestObject } from "../../src/client/cached-object.ts";
import { sizeOf, trimmed } from "../../src/client/trimmed.ts";
import { condensed, isCondensed, isText } from "../../src/kube/data.ts";
import type {
  ConfigMap,
  Deployment,
  Owned,
  Pod,
  RoleBinding,
  Secret,
  ServiceAccount,
} from "../../src/kube/manifests.ts";
import { label, manager } from "../../src/kube/names.ts";
import { difference } from "../../src/reconcile/difference.ts";
import { all, inputs, postgresql, server } from "../support/fixtures.ts";

const labels = { [label.managedBy]: manager, [label.server]: "demo" };
const isServer = ({ namespace, name }: { namespace: string; name: string }) =>
  namespace === "team-a" && name === "demo";
const metadata = (name: string, more = {}) => ({ name, namespace: "team-a", labels, ...more });
const configMap = (name: string, text: string, namespace = "team-a"): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { ...metadata(name), namespace },
  data: { text },
});
const megabyte = "x".repeat(2 ** 20);

describe("the cached part of an object with the operator's label", () => {
  test("has no content if no existing server has an object with this name", () => {
    for (const object of [
      configMap("demo-1", "text"),
      configMap("demo-auth-config", "text", "team-b"),
      configMap("mlflow-client", "text"),
    ]) {
      const brief = cachedObject(object, isServer);
      assert.equal(brief.omitted, "unexpected", object.metadata.name);
      assert.equal(brief.data, undefined);
      assert.equal(brief.metadata.name, object.metadata.name);
    }
  });

  test("has the owner, and no field without a size limit", () => {
    const large = metadata("a", {
      annotations: { long: megabyte },
      labels: {
        ...labels,
        ...Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`label-${n}`, "v".repeat(60)])),
      },
      ownerReferences: Array.from({ length: 3000 }, (_, n) => ({
        ...{ apiVersion: "v1", kind: "ConfigMap", name: `owner-${n}`, uid: `${n}` },
        controller: n === 2999,
      })),
      finalizers: Array.from({ length: 3000 }, (_, n) => `example.com/${n}`),
      managedFields: Array.from({ length: 3000 }, (_, n) => ({ manager: `manager-${n}`, operation: "Apply" })),
    });
    const account: ServiceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata: large };
    const brief = cachedObject(trimmed(account), isServer);
    assert.ok(sizeOf(brief) < 3000, `${sizeOf(brief)}`);
    assert.deepEqual(brief.metadata.labels, labels);
    assert.ok(brief.metadata.ownerReferences?.some(({ controller }) => controller));
  });

  test("is complete for each object that the operator writes for the servers of the tests", () => {
    for (const each of [server(), server({ replicas: 2, backendStore: { postgresql } })])
      for (const manifest of all(inputs(each))) {
        const live: Owned = trimmed(JSON.parse(JSON.stringify(manifest)));
        const kept = cachedObject(live, isServer);
        assert.equal(kept.omitted, undefined, `${manifest.kind} ${manifest.metadata.name}`);
        assert.equal(difference(manifest, kept), undefined);
        assert.ok(sizeOf(kept) < largestObject / 2, `${manifest.kind} ${manifest.metadata.name}: ${sizeOf(kept)}`);
      }
  });

  test("is complete for objects in workspaces", () => {
    const binding: RoleBinding = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { ...metadata("mlflow.team-a.demo.viewer"), namespace: "team-b" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "mlflow-workspace-viewer" },
    };
    assert.deepEqual(cachedObject(binding, isServer), binding);
  });

  test("has a digest of a large value, by which it is compared", () => {
    const object: Secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("demo-auth-config"),
      data: { large: megabyte, small: "a" },
    };
    const kept = cachedObject(trimmed(structuredClone(object)), isServer);
    assert.equal(kept.omitted, undefined);
    assert.ok(sizeOf(kept) < 3000);
    assert.equal(difference(object, kept), undefined);
    assert.equal(difference({ ...object, data: { large: `${megabyte}y` } }, kept), ".data.large");
    assert.ok(isCondensed(kept.data?.["large"]));
  });

  test("has the owner of an object that is too large, so that it is reported", () => {
    const [manifest] = all(inputs()).filter((each): each is Deployment => each.kind === "Deployment");
    assert.ok(manifest !== undefined);
    const annotations = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`a${n}`, "y".repeat(16_000)]));
    const kept = cachedObject(trimmed({ ...manifest, metadata: { ...manifest.metadata, annotations } }), isServer);
    assert.equal(kept.omitted, "oversized");
    assert.deepEqual(kept.spec, {});
  });

  test("has the fields of the pod status that are read", () => {
    const message = megabyte;
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: metadata("demo-1"),
      status: { conditions: Array.from({ length: 5000 }, () => ({ type: "Ready", status: "False", message })) },
    };
    assert.ok(sizeOf(trimmed(pod).status?.conditions?.[0]) < 9000);
    assert.equal(trimmed(pod).status?.conditions?.length, 256);
  });

  test("has no spec of a server whose spec is too large", () => {
    const large = server({
      server: { env: Array.from({ length: 300 }, (_, n) => ({ name: `A${n}`, value: "x".repeat(4000) })) },
    });
    const kept = cachedServer(trimmed(large));
    assert.equal(kept.omitted, "oversized");
    assert.ok(sizeOf(kept) < 3000);
    assert.equal(cachedServer(trimmed(server())).omitted, undefined);
  });
});

describe("a condensed text", () => {
  test("is a short text itself, and a digest of a longer one", () => {
    assert.equal(condensed("short"), "short");
    assert.ok(isText(condensed(megabyte), megabyte) && !isText(condensed(megabyte), `${megabyte}x`));
    assert.ok(isText("a", "a") && !isText("a", "b"));
  });

  test("cannot be forged by the writer of the text", () => {
    const forged = condensed(condensed(megabyte));
    assert.ok(!isText(forged, megabyte));
  });
});
