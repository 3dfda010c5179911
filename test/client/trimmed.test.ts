import assert from "node:assert/strict";
import { test } from "node:test";
import { trimmed } from "../../src/client/trimmed.ts";
import type { RoleBinding } from "../../src/kube/manifests.ts";

const metadata = {
  name: "a",
  annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", kept: "yes" },
  managedFields: [
    { manager: "us", operation: "Apply", apiVersion: "v1", time: "2026-01-01T00:00:00Z", fieldsV1: { "f:spec": {} } },
    { manager: "them", operation: "Update", subresource: "status", fieldsType: "FieldsV1" },
  ],
};

test("keeps manager and operation of managedFields, in order", () => {
  assert.deepEqual(trimmed({ apiVersion: "v1", kind: "Secret", metadata, data: { key: "dg==" } }), {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: "a",
      annotations: { kept: "yes" },
      managedFields: [
        { manager: "us", operation: "Apply" },
        { manager: "them", operation: "Update", subresource: "status" },
      ],
    },
    data: { key: "dg==" },
  });
});

test("keeps status, node, and names and ports of the containers of a pod", () => {
  const spec = {
    nodeName: "n1",
    volumes: [],
    containers: [{ name: "mlflow", image: "x", ports: [{ name: "http", containerPort: 5000, hostIP: "::" }] }],
    initContainers: [{ name: "i", image: "x" }],
  };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, spec, status: { phase: "Running" } };
  assert.deepEqual(trimmed(pod), {
    ...pod,
    spec: {
      nodeName: "n1",
      containers: [{ name: "mlflow", ports: [{ name: "http", containerPort: 5000 }] }],
      initContainers: [{ name: "i" }],
    },
  });
});

test("keeps only the fields of workspace objects that reconciliations read, and shares equal values", () => {
  const binding = (namespace: string): RoleBinding => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: {
      name: "mlflow.a.b.viewer",
      namespace,
      uid: namespace,
      resourceVersion: "7",
      labels: { a: "b" },
      annotations: { long: "text" },
      managedFields: [{ manager: "mlflow-operator", operation: "Update" }],
    },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "mlflow-workspace-viewer" },
    subjects: [{ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: "audit" }],
  });
  const [one, other] = [trimmed(binding("one")), trimmed(binding("other"))];
  assert.deepEqual(one.metadata, {
    name: "mlflow.a.b.viewer",
    namespace: "one",
    uid: "one",
    resourceVersion: "7",
    labels: { a: "b" },
  });
  assert.deepEqual(one.subjects, binding("one").subjects);
  assert.equal(one.subjects, other.subjects);
  assert.equal(one.metadata.labels, other.metadata.labels);
  assert.notEqual(one.metadata, other.metadata);
});

for (const kind of ["MlflowBackup", "MlflowBackupSchedule", "MlflowWorkspaceAccess"])
  test(`keeps of a ${kind} only what identifies it, since its author can add megabytes to the rest`, () => {
    const identity = { name: "a", namespace: "team-a", uid: "1", resourceVersion: "7", generation: 1 };
    const long = "x".repeat(1_000_000);
    const metadata = {
      ...identity,
      labels: { [`${long}/a`]: "b" },
      annotations: { "mlflow-operator.dev/paused": long },
      finalizers: [`example.com/${long}`],
      ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: long, uid: long }],
      managedFields: [{ manager: "them", operation: "Update" }],
    };
    const object = { apiVersion: "mlflow-operator.dev/v1alpha1", kind, metadata, spec: {} };
    assert.deepEqual(trimmed(object), { ...object, metadata: identity });
  });

test("keeps the beginning of pruned paths, which are in fields that users can write", () => {
  const fields = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`f:${n}${"x".repeat(10_000)}`, {}]));
  const managedFields = [{ manager: "them", operation: "Update", fieldsV1: { "f:spec": fields } }];
  const metadata = { name: "a", namespace: "team-a", managedFields };
  const object = { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowServer", metadata, spec: {} };
  const { pruned } = trimmed(object) as { pruned?: readonly string[] };
  assert.equal(pruned?.length, 64);
  assert.ok(pruned.every((path) => path.length === 256 && path.startsWith("spec.")));
});
