import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, type TestContext, test } from "node:test";
import { loadAll } from "js-yaml";
import type { MlflowBackup } from "../../../src/api/backup.ts";
import type { MlflowServer } from "../../../src/api/server.ts";
import { label, manager } from "../../../src/kube/names.ts";
import { needsOptIn } from "../../../src/model/workspaces.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import type { ObjectKind } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { restorePods, restoreSucceeds } from "../../support/restore-pods.ts";
import { databaseSecret, onPostgresql, secret, server, withoutAuthentication } from "../../support/servers.ts";
import { statusWatch } from "../../support/status-watch.ts";

const folder = join(import.meta.dirname, "../../../examples");
/** Except those that need an operator of all namespaces: see release.test.ts. */
const examples = readdirSync(folder).filter(
  (name) => name.endsWith(".yaml") && !serversIn(name).some(isCrossNamespace),
);

function serversIn(file: string): MlflowServer[] {
  return loadAll(readFileSync(join(folder, file), "utf8")).filter((document) => isServer(document));
}

/** The Secrets with the credentials of the buckets of backups, which users create before they apply an example. */
function bucketSecretsIn(file: string): string[] {
  const documents = loadAll(readFileSync(join(folder, file), "utf8")) as (MlflowServer | MlflowBackup)[];
  const backups = documents.filter((each): each is MlflowBackup => each.kind === "MlflowBackup");
  return backups.flatMap(({ spec }) => spec.destination.s3?.credentialsSecretRef?.name ?? []);
}

const bucketCredentials = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" };

function isCrossNamespace({ spec }: MlflowServer): boolean {
  return needsOptIn(spec);
}

const writtenKinds: readonly ObjectKind[] = [
  "ConfigMap",
  "CronJob",
  "Deployment",
  "HorizontalPodAutoscaler",
  "Job",
  "NetworkPolicy",
  "PersistentVolumeClaim",
  "PodDisruptionBudget",
  "Secret",
  "Service",
  "ServiceAccount",
];

/** `Kind/name` of all objects in the namespace that the test did not create; a hash in a name is `#`. */
async function written({ objects }: Fixture, others: readonly string[] = []): Promise<string[]> {
  const found: string[] = [];
  for (const kind of writtenKinds) {
    for (const { metadata } of await objects.list(kind)) found.push(`${kind}/${metadata.name}`);
  }
  const given = ["ConfigMap/kube-root-ca.crt", "ServiceAccount/default", "ServiceAccount/operator", ...others];
  return found
    .filter((text) => !given.includes(text))
    .map((text) => text.replace(/-migrate-[0-9a-f]{10}$/, "-migrate-#"));
}

/** Watches from before the server is created; returns a check that every status was correct at that time. */
async function observed(context: TestContext, { cluster, namespace }: Fixture): Promise<() => Promise<void>> {
  const watch = await statusWatch(cluster, [namespace], { staleSeconds: 0 });
  context.after(() => watch.stop());
  return () => watch.check();
}

/** The example in this namespace, with a certificate if it needs one, because an invalid one is rejected. */
function filledIn(example: string, certificate: string, namespace: string): string {
  const placeholder = /^( *)-----BEGIN CERTIFICATE-----\n *replace with .*\n *-----END CERTIFICATE-----$/gm;
  return example
    .replaceAll(placeholder, (_, indent: string) => certificate.trim().replaceAll(/^/gm, indent))
    .replaceAll("kagenti-system", namespace);
}

describe("convergence of a server", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  assert.ok(examples.length >= 3, "the examples were not found");
  for (const file of examples) {
    test(`examples/${file} becomes Ready, and never before its pods are`, async (context) => {
      const stage = await fixture(context);
      const assertCorrect = await observed(context, stage);
      stage.kubelet.decide(restorePods(restoreSucceeds));
      for (const name of bucketSecretsIn(file)) await stage.objects.create("Secret", secret(name, bucketCredentials));
      const applied = await stage.cluster.kubectl(
        ["apply", "--namespace", stage.namespace, "-f", "-"],
        filledIn(readFileSync(join(folder, file), "utf8"), readFileSync(stage.cluster.caFile, "utf8"), stage.namespace),
      );
      assert.equal(applied.code, 0, applied.stderr);
      const names = serversIn(file).map(({ metadata }) => metadata.name);
      assert.ok(names.length > 0, `${file} has no MlflowServer`);
      for (const name of names) {
        const ready = await stage.ready(name);
        const pods = (await stage.objects.list("Pod")).filter(
          ({ metadata }) => metadata.labels?.[label.server] === name && metadata.labels[label.component] === "server",
        );
        assert.equal(pods.length, ready.spec.replicas);
        assert.equal(ready.status?.version, ready.spec.version);
        assert.equal(ready.status?.readyReplicas, ready.spec.replicas);
      }
      await assertCorrect();
    });
  }

  test("SQLite and generated passwords: exactly these objects, all owned", async (context) => {
    const stage = await fixture(context);
    const assertCorrect = await observed(context, stage);
    await stage.apply(server());
    const ready = await stage.ready();
    assert.deepEqual(await written(stage), [
      "Deployment/mlflow",
      "Job/mlflow-migrate-#",
      "NetworkPolicy/mlflow",
      "PersistentVolumeClaim/mlflow",
      "Secret/mlflow-admin",
      "Secret/mlflow-auth-config",
      "Secret/mlflow-session",
      "Service/mlflow",
      "ServiceAccount/mlflow",
    ]);
    for (const kind of writtenKinds) {
      for (const { metadata } of await stage.objects.list(kind)) {
        if (!metadata.name.startsWith("mlflow")) continue;
        assert.equal(metadata.labels?.[label.managedBy], manager, `${kind}/${metadata.name}`);
        assert.equal(metadata.labels[label.server], "mlflow");
        assert.equal(metadata.labels["app.kubernetes.io/instance"], undefined, "GitOps tools would track it");
      }
    }
    const { phase, version } = ready.status?.migration ?? {};
    assert.deepEqual([phase, version], ["Complete", "3.17.2"]);
    assert.deepEqual(
      { ...ready.status, conditions: undefined, migration: undefined },
      {
        observedGeneration: 1,
        conditions: undefined,
        observedGenerationTime: ready.status?.observedGenerationTime,
        migration: undefined,
        operator: `${stage.namespace}/mlflow-operator`,
        url: `http://mlflow.${stage.namespace}:5000`,
        serviceURL: `http://mlflow.${stage.namespace}:5000`,
        backendStore: "SQLite",
        artifactStore: "PersistentVolume",
        version: "3.17.2",
        authentication: "Basic",
        adminCredentialsSecretRef: { name: "mlflow-admin" },
        replicas: 1,
        readyReplicas: 1,
        rollout: { phase: "Complete", revision: "1" },
        rotations: [{ name: "admin-password", phase: "Completed", content: ready.status?.rotations?.[0]?.content }],
        selector: "mlflow-operator.dev/server=mlflow,app.kubernetes.io/component=server",
      },
    );
    await assertCorrect();
  });

  test("PostgreSQL, S3 and no authentication: exactly these objects", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql, withoutAuthentication));
    const ready = await stage.ready();
    assert.deepEqual(await written(stage, ["Secret/database"]), [
      "Deployment/mlflow",
      "Job/mlflow-migrate-#",
      "NetworkPolicy/mlflow",
      "Secret/mlflow-session",
      "Secret/mlflow-store",
      "Service/mlflow",
      "ServiceAccount/mlflow",
    ]);
    assert.equal(ready.status?.authentication, "None");
    assert.equal(ready.status.adminCredentialsSecretRef, undefined);
  });

  test("every status on the way to Ready, through changes and failures, is correct", async (context) => {
    const stage = await fixture(context);
    const assertCorrect = await observed(context, stage);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready();
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 3 }));
    await stage.ready();
    stage.kubelet.decide((pod) =>
      pod.metadata.labels?.[label.component] === "migration"
        ? { does: "succeeds" }
        : { does: "exits", exitCode: 1, message: "" },
    );
    await stage.stalled("CrashLooping");
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2, "spec.server.workers": 2 }));
    await stage.stalled("CrashLooping");
    stage.kubelet.decide((pod) =>
      pod.metadata.labels?.[label.component] === "migration" ? { does: "succeeds" } : { does: "runs" },
    );
    const ready = await stage.ready();
    assert.equal(condition(ready, "Available").status, "True");
    await assertCorrect();
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);

function isServer(document: unknown): document is MlflowServer {
  return typeof document === "object" && document !== null && "kind" in document && document.kind === "MlflowServer";
}
