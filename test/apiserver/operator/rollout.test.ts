import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "../../../src/kube/manifests.ts";
import { annotation, label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { caCertificatePem } from "../../support/ca-certificate-pem.ts";
import { eventually } from "../../support/eventually.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import type { ObjectKind } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden, quotaInForce } from "../../support/operator-fixture.ts";
import { databaseSecret, type Modification, onPostgresql, secret, server } from "../../support/servers.ts";

/** A server that refers to Secrets and ConfigMaps by every possible field. */
const referring: Modification = {
  "spec.backendStore.postgresql.ca": { configMapRef: { name: "database-ca" } },
  "spec.artifactStore.s3.credentialsSecretRef": { name: "bucket" },
  "spec.artifactStore.s3.ca": { secretRef: { name: "bucket-ca", key: "tls.crt" } },
  "spec.authentication.basic": {
    adminCredentialsSecretRef: { name: "admin" },
    database: {
      postgresql: { host: "auth-db.example.com", database: "auth", credentialsSecretRef: { name: "auth-database" } },
    },
  },
  "spec.server": {
    sessionSecretRef: { name: "session" },
    env: [
      { name: "A", valueFrom: { secretKeyRef: { name: "env-secret", key: "a" } } },
      { name: "B", valueFrom: { configMapKeyRef: { name: "env-config", key: "b" } } },
    ],
    envFrom: [{ secretRef: { name: "from-secret" } }, { configMapRef: { name: "from-config" } }],
  },
};

const references: readonly (readonly [ObjectKind & ("Secret" | "ConfigMap"), string, Record<string, string>])[] = [
  ["Secret", "database", { username: "mlflow", password: "any" }],
  ["Secret", "auth-database", { username: "auth", password: "any" }],
  ["ConfigMap", "database-ca", { "ca.crt": caCertificatePem }],
  ["Secret", "bucket", { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" }],
  ["Secret", "bucket-ca", { "tls.crt": caCertificatePem }],
  ["Secret", "admin", { username: "root", password: "a long password" }],
  [
    "Secret",
    "session",
    { "flask-secret-key": "f".repeat(32), "kek-passphrase": "k".repeat(32), "webhook-key": `${"w".repeat(43)}=` },
  ],
  ["Secret", "env-secret", { a: "1" }],
  ["ConfigMap", "env-config", { b: "1" }],
  ["Secret", "from-secret", { C: "1" }],
  ["ConfigMap", "from-config", { D: "1" }],
];

const isServer = (pod: Pod) => pod.metadata.labels?.[label.component] === "server";

async function podsOf({ objects }: Fixture): Promise<(string | undefined)[]> {
  return (await objects.list("Pod")).filter(isServer).map(({ metadata }) => metadata.uid);
}

async function hashOf({ objects }: Fixture): Promise<string | undefined> {
  const { template } = (await objects.the("Deployment", "mlflow")).spec;
  return template.metadata?.annotations?.[annotation.inputs];
}

/** Two running pods, and their fixture. */
async function running(context: TestContext): Promise<Fixture> {
  const stage = await fixture(context);
  await stage.objects.create("Secret", databaseSecret);
  await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
  await stage.ready("mlflow", 60);
  return stage;
}

interface PodFailure {
  readonly title: string;
  /** The behavior of pods of the new spec. */
  readonly fate: PodOutcome;
  readonly reason: string;
  readonly says: RegExp;
}

const podFailures: readonly PodFailure[] = [
  {
    title: "crash",
    fate: { does: "exits", exitCode: 3 },
    reason: "CrashLooping",
    says: /container mlflow of pod mlflow-\S+ terminated with exit code 3\. See its log: kubectl logs -n \S+ mlflow-\S+ -c mlflow --previous/,
  },
  {
    title: "exceed their memory limit",
    fate: { does: "exits", exitCode: 137, reason: "OOMKilled" },
    reason: "OutOfMemory",
    says: /exceeded its memory limit\. Raise spec\.pod\.resources\.limits\.memory/,
  },
  {
    title: "cannot be pulled",
    fate: { does: "waits", reason: "ErrImagePull", message: "not found" },
    reason: "ImagePullFailed",
    says: /^image registry\.example\.com\/mlflow-server:3\.17\.2 cannot be pulled: not found\. Check spec\.image/,
  },
  {
    title: "cannot be created",
    fate: { does: "waits", reason: "CreateContainerConfigError", message: 'secret "x" not found' },
    reason: "ContainerNotCreated",
    says: /cannot be created: secret "x" not found/,
  },
  {
    title: "cannot be scheduled",
    fate: { does: "cannot be scheduled", message: "0/3 nodes are available: 3 Insufficient memory." },
    reason: "Unschedulable",
    says: /^no node can run pod mlflow-\S+: 0\/3 nodes are available: 3 Insufficient memory\. Add a node/,
  },
];

describe("rollout", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("follows each change of a reference, and of no other object", async (context) => {
    const stage = await fixture(context);
    for (const [kind, name, data] of references) {
      await stage.objects.create(kind, kind === "Secret" ? secret(name, data) : { metadata: { name }, data });
    }
    await stage.apply(server("mlflow", onPostgresql, referring));
    await stage.ready("mlflow", 60);
    for (const [kind, name, data] of references) {
      const [pods, hash] = [await podsOf(stage), await hashOf(stage)];
      const [key = ""] = Object.keys(data).slice(-1);
      const text = key === "webhook-key" ? `${"v".repeat(43)}=` : `${data[key]} changed`;
      const field = kind === "Secret" ? "stringData" : "data";
      await stage.objects.patch(kind, name, { [field]: { [key]: text } });
      await eventually(async () => assert.notEqual(await hashOf(stage), hash, `${kind}/${name} rolls nothing`));
      await eventually(async () => {
        const after = await podsOf(stage);
        assert.ok(after.length === 1 && !pods.includes(after[0]), `${kind}/${name}: the pod is the previous one`);
      });
      await stage.ready("mlflow", 60);
    }
  });

  test("starts when the database's password changes, by the Secret with the URI", async (context) => {
    const stage = await running(context);
    const [pods, hash] = [await podsOf(stage), await hashOf(stage)];
    const before = (await stage.objects.the("Secret", "mlflow-store")).data;
    await stage.objects.patch("Secret", "database", { stringData: { password: "another" } });
    await eventually(async () => assert.notEqual(await hashOf(stage), hash));
    // It is applied at the same time as the Deployment.
    const data = await eventually(async () => {
      const { data: after } = await stage.objects.the("Secret", "mlflow-store");
      assert.notDeepEqual(after, before);
      return after;
    });
    assert.match(Buffer.from(data?.["backend-store-uri"] ?? "", "base64").toString(), /:another@db\.example\.com/);
    await eventually(async () => {
      const now = await podsOf(stage);
      assert.ok(now.length === 2 && now.every((uid) => !pods.includes(uid)));
    });
    await stage.ready("mlflow", 60);
  });

  const restarts = {
    "the annotation of the server": (stage: Fixture) =>
      stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { [annotation.restart]: "1" } } }),
    "kubectl rollout restart": (stage: Fixture) =>
      stage.objects.patch("Deployment", "mlflow", {
        spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": "2026-01-01" } } } },
      }),
  };
  for (const [title, restart] of Object.entries(restarts)) {
    test(`starts once by ${title}, which nothing undoes, without another migration`, async (context) => {
      const stage = await running(context);
      const pods = await podsOf(stage);
      const jobs = (await stage.objects.list("Job")).map(({ metadata }) => metadata.uid);
      const { generation = 0 } = (await stage.objects.the("Deployment", "mlflow")).metadata;
      await restart(stage);
      await eventually(async () => {
        const now = await podsOf(stage);
        assert.ok(now.length === 2 && now.every((uid) => !pods.includes(uid)));
      });
      await stage.ready("mlflow", 60);
      await stage.quiet();
      assert.equal((await stage.objects.the("Deployment", "mlflow")).metadata.generation, generation + 1);
      assert.deepEqual(
        (await stage.objects.list("Job")).map(({ metadata }) => metadata.uid),
        jobs,
      );
    });
  }

  test("does not start for Secrets and ConfigMaps without a reference: no API call", async (context) => {
    const stage = await running(context);
    const since = await stage.quiet();
    for (const round of ["1", "2", "3"]) {
      await stage.objects.create("Secret", secret(`other-${round}`, { a: round }));
      await stage.objects.create("ConfigMap", { metadata: { name: `other-${round}` }, data: { a: round } });
      await stage.objects.patch("Secret", "other-1", { stringData: { a: `again ${round}` } });
      await stage.objects.patch("ConfigMap", "other-1", { data: { a: `again ${round}` } });
    }
    await stage.objects.remove("Secret", "other-1");
    await stage.objects.remove("ConfigMap", "other-1");
    await sleep(2000);
    assert.deepEqual(await stage.calls(since), []);
  });

  for (const { title, fate, reason, says } of podFailures) {
    test(`to pods that ${title}: reports why, keeps running pods, and completes once fixed`, async (context) => {
      const stage = await running(context);
      const former = await podsOf(stage);
      stage.kubelet.decide((pod) => (isServer(pod) && !former.includes(pod.metadata.uid) ? fate : healthy(pod)));
      await stage.objects.patch("MlflowServer", "mlflow", { spec: { server: { workers: 2 } } });
      const stalled = await stage.stalled(reason);
      assert.match(condition(stalled, "Stalled").message, says);
      assert.equal(condition(stalled, "Available").status, "True");
      assert.equal(stalled.status?.readyReplicas, 2);
      const now = await podsOf(stage);
      assert.deepEqual(
        former.filter((uid) => !now.includes(uid)),
        [],
        "a running pod is gone",
      );
      stage.kubelet.decide(healthy);
      await stage.ready("mlflow", 60);
      await eventually(async () => assert.ok((await podsOf(stage)).every((uid) => !former.includes(uid))));
    });
  }

  test("to pods that a quota rejects: reports why, keeps running pods, and completes once the quota allows them", async (context) => {
    const stage = await running(context);
    const former = await podsOf(stage);
    const [pod] = await stage.objects.list("Pod");
    assert.ok(pod?.spec !== undefined);
    await quotaInForce(stage.objects, "full", { pods: "0" }, "Pod", pod.spec);
    await stage.objects.patch("MlflowServer", "mlflow", { spec: { server: { workers: 2 } } });
    const stalled = await stage.stalled("PodsRejected");
    assert.match(condition(stalled, "Stalled").message, /^pods cannot be created: .*exceeded quota: full/);
    assert.deepEqual(await podsOf(stage), former);
    await stage.objects.remove("ResourceQuota", "full");
    await stage.ready("mlflow", 60);
  });

  test("that fails is undone by reverting the spec", async (context) => {
    const stage = await running(context);
    const former = await podsOf(stage);
    stage.kubelet.decide((pod) => {
      const isNew = isServer(pod) && !former.includes(pod.metadata.uid);
      return isNew ? { does: "exits", exitCode: 1 } : healthy(pod);
    });
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2, "spec.server.workers": 64 }));
    await stage.stalled("CrashLooping");
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
    await stage.ready("mlflow", 60);
    await eventually(async () => assert.deepEqual((await podsOf(stage)).sort(), former.sort()));
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
