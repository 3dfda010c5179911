import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { label, manager } from "../../../src/kube/names.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { dump } from "../../support/dump.ts";
import { eventually } from "../../support/eventually.ts";
import { condition, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import {
  databaseSecret,
  type Modification,
  onPostgresql,
  secret,
  server,
  withoutAuthentication,
} from "../../support/servers.ts";

const priorityClass = "tests-of-pruning";

const schedulerAndDns = {
  schedulerName: "my-scheduler",
  hostAliases: [{ ip: "10.1.2.3", hostnames: ["db.example.com", "db"] }],
  dnsConfig: {
    searches: ["corp.example.com"],
    options: [{ name: "ndots", value: "2" }],
  },
};

/** All spec fields that add a field to an applied object and can be removed. */
const optional: Modification = {
  "spec.serviceAccount": { annotations: { "example.com/role": "reader" } },
  "spec.image": { pullSecrets: [{ name: "registry" }], pullPolicy: "Always" },
  "spec.pod": {
    labels: { team: "ml" },
    annotations: { "example.com/note": "text" },
    resources: { requests: { cpu: "250m", memory: "1Gi" }, limits: { memory: "2Gi" } },
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [{ key: "dedicated", operator: "Exists" }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "cpus", operator: "Exists" }] }],
        },
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 2, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule", minDomains: 2 },
    ],
    priorityClassName: priorityClass,
    ...schedulerAndDns,
  },
  "spec.server": {
    workers: 3,
    logLevel: "DEBUG",
    env: [
      { name: "PLAIN", value: "text" },
      { name: "HTTPS_PROXY", value: "http://proxy.example.com:3128" },
      { name: "FROM_SECRET", valueFrom: { secretKeyRef: { name: "extra", key: "a" } } },
    ],
    envFrom: [{ secretRef: { name: "extra" } }, { prefix: "P_", configMapRef: { name: "kube-root-ca.crt" } }],
    extraArgs: ["--x-frame-options=DENY"],
    allowedHosts: ["mlflow.example.com"],
  },
  "spec.artifactStore.s3": {
    bucket: "models",
    prefix: "team-a",
    region: "eu-central-1",
    endpointURL: "https://minio.example.com",
    credentialsSecretRef: { name: "s3" },
    ca: { configMapRef: { name: "kube-root-ca.crt" } },
  },
};

/** Labels of the tests: those of Kubernetes are rejected. */
async function createPriorityClass(cluster: ClusterAccess): Promise<void> {
  const body = { metadata: { name: priorityClass }, value: 1000 };
  const { status } = await cluster.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", { body });
  assert.ok(status === 201 || status === 409, String(status));
}

const bucket = secret("s3", { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" });

describe("pruning", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => createPriorityClass(await sharedControlPlane()));

  test("fields that the spec no longer has are removed completely", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.objects.create("Secret", bucket);
    await stage.objects.create("Secret", secret("extra", { a: "b" }));
    // The Job keeps the spec of its creation, and is never patched.
    const workload = async () => {
      const { "Deployment/mlflow": deployment, "ServiceAccount/mlflow": account } = await dump(stage.objects);
      return { deployment, account };
    };
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    const plain = await workload();
    await stage.objects.remove("MlflowServer", "mlflow");
    // The garbage collector of a new control plane discovers kinds of owners every 30 s.
    await eventually(async () => assert.deepEqual(await stage.objects.list("Deployment"), []), 60);

    await stage.apply(server("mlflow", onPostgresql, optional));
    await stage.ready("mlflow", 60);
    const full = await stage.objects.the("Deployment", "mlflow");
    const { priorityClassName, schedulerName, hostAliases, dnsConfig } = full.spec.template.spec ?? {};
    assert.equal(priorityClassName, priorityClass);
    assert.deepEqual({ schedulerName, hostAliases, dnsConfig }, schedulerAndDns);
    const variables = full.spec.template.spec?.containers[0]?.env ?? [];
    assert.deepEqual(variables.find(({ name }) => name === "a")?.valueFrom, {
      secretKeyRef: { name: "extra", key: "a" },
    });
    assert.notDeepEqual(await workload(), plain);

    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await workload(), plain);
  });

  test("fields are pruned one by one", async (context) => {
    const stage = await fixture(context);
    await stage.apply(
      server("mlflow", {
        "spec.pod": { priorityClassName: priorityClass, annotations: { a: "1", b: "2" } },
        "spec.server.env": [
          { name: "A", value: "1" },
          { name: "B", value: "2" },
        ],
      }),
    );
    await stage.ready("mlflow", 60);
    const template = async () => {
      await stage.ready("mlflow", 60);
      const { metadata, spec } = (await stage.objects.the("Deployment", "mlflow")).spec.template;
      const names = spec?.containers[0]?.env?.map(({ name }) => name) ?? [];
      const annotations = Object.keys(metadata?.annotations ?? {}).filter((name) => !name.includes("/"));
      return {
        annotations,
        env: names.filter((name) => name === "A" || name === "B"),
        priority: spec?.priorityClassName,
      };
    };
    const priority = priorityClass;
    assert.deepEqual(await template(), { annotations: ["a", "b"], env: ["A", "B"], priority });
    await stage.apply(
      server("mlflow", {
        "spec.pod": { priorityClassName: priority, annotations: { b: "2" } },
        "spec.server.env": [
          { name: "A", value: "1" },
          { name: "B", value: "2" },
        ],
      }),
    );
    assert.deepEqual(await template(), { annotations: ["b"], env: ["A", "B"], priority });
    await stage.apply(
      server("mlflow", {
        "spec.pod": { priorityClassName: priority, annotations: { b: "2" } },
        "spec.server.env": [{ name: "B", value: "2" }],
      }),
    );
    assert.deepEqual(await template(), { annotations: ["b"], env: ["B"], priority });
    await stage.apply(server("mlflow", { "spec.server.env": [{ name: "B", value: "2" }] }));
    assert.deepEqual(await template(), { annotations: [], env: ["B"], priority: undefined });
  });

  test("objects that are no longer wanted are deleted; generated ones are kept", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    const admin = await stage.objects.the("Secret", "mlflow-admin");
    await stage.apply(server("mlflow", withoutAuthentication));
    await stage.ready("mlflow", 60);
    assert.equal(await stage.objects.get("Secret", "mlflow-auth-config"), undefined);
    assert.deepEqual(await stage.objects.the("Secret", "mlflow-admin"), admin);
    // It is deleted after its pods.
    await eventually(async () => {
      assert.equal((await stage.objects.list("Job")).length, 1, "the Job of the previous databases is still there");
    });
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    assert.deepEqual((await stage.objects.the("Secret", "mlflow-admin")).data, admin.data);
    await stage.objects.the("Secret", "mlflow-auth-config");
  });

  test("unmanaged objects with the operator's labels are not changed", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    const { metadata } = await stage.ready("mlflow", 60);
    const labels = { [label.managedBy]: manager, [label.server]: "mlflow" };
    const owner = await stage.objects.create("ConfigMap", { metadata: { name: "owner" } });
    const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid, controller: true };
    const own = { apiVersion: metadata.uid && "mlflow-operator.dev/v1alpha1", kind: "MlflowServer", name: "mlflow" };
    const theirs = [
      await stage.objects.create("ConfigMap", { metadata: { name: "labelled", labels } }),
      await stage.objects.create("ConfigMap", { metadata: { name: "owned", labels, ownerReferences: [reference] } }),
      await stage.objects.create("ConfigMap", {
        metadata: { name: "not-controlled", labels, ownerReferences: [{ ...own, uid: metadata.uid }] },
      }),
      await stage.objects.create("Secret", {
        ...secret("mlflow-former", { a: "b" }),
        metadata: { name: "mlflow-former", labels },
      }),
    ];
    await stage.objects.create("ConfigMap", {
      metadata: { name: "left-over", labels, ownerReferences: [{ ...own, uid: metadata.uid, controller: true }] },
    });
    await stage.objects.patch("MlflowServer", "mlflow", { spec: { server: { workers: 2 } } });
    await stage.ready("mlflow", 60);
    await eventually(async () => assert.equal(await stage.objects.get("ConfigMap", "left-over"), undefined));
    for (const object of theirs) {
      const kind = object.kind === "Secret" ? "Secret" : "ConfigMap";
      assert.deepEqual(await stage.objects.the(kind, object.metadata.name), object);
    }
    assert.equal(condition(await stage.ready(), "Stalled").status, "False");
  });

  test("of a deleted server only generated Secrets and volumes are left", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    await stage.objects.remove("MlflowServer", "mlflow");
    await eventually(async () => {
      const names = Object.keys(await dump(stage.objects)).filter((name) => name.includes("mlflow"));
      assert.deepEqual(names, ["PersistentVolumeClaim/mlflow", "Secret/mlflow-admin", "Secret/mlflow-session"]);
      assert.deepEqual(await stage.objects.list("Pod"), []);
    });
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
