import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { history } from "../../support/history.ts";
import { killedAfterWrites } from "../../support/killed-after-writes.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { restorePods, restoreSucceeds } from "../../support/restore-pods.ts";
import { secret, server } from "../../support/servers.ts";

const inBucket = { s3: { bucket: "backups", credentialsSecretRef: { name: "backup-s3" } } };
const onVolume = { persistentVolumeClaim: { claimName: "backups" } };
const withRestore = (more: object = {}) =>
  server("mlflow", { "spec.restore": { backupRef: { name: "nightly" }, ...more } });

/** Creates the MlflowBackup of files that exist already. */
function existing({ objects }: Fixture, destination: object = onVolume) {
  const spec = { serverRef: { name: "mlflow" }, existing: { path: "ml/other/nightly" }, destination };
  return objects.create("MlflowBackup", { metadata: { name: "nightly" }, spec });
}

async function jobsOf({ objects }: Fixture, component: string): Promise<readonly string[]> {
  const jobs = await objects.list("Job");
  return jobs
    .filter(({ metadata }) => metadata.labels?.[label.component] === component)
    .map(({ metadata }) => metadata.name);
}

/** Waits until Restored of the server has this reason. */
function reached({ objects }: Fixture, reason: string) {
  return eventually(async () => {
    const found = await objects.the("MlflowServer", "mlflow");
    const restored = condition(found, "Restored");
    assert.equal(restored.reason, reason, restored.message);
    return found;
  });
}

describe("a server with a restore", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("waits for its backup and its Secret, is restored before its migration, and only once", async (context) => {
    const stage = await fixture(context);
    stage.kubelet.decide(restorePods({ does: "runs" }));
    await stage.apply(withRestore());
    await reached(stage, "BackupNotFound");
    assert.deepEqual(await jobsOf(stage, "migration"), []);
    // The backup names the server that waits for it.
    await existing(stage, inBucket);
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowBackup", "nightly");
      assert.equal(status?.conditions?.find(({ type }) => type === "Ready")?.reason, "SecretNotFound");
    });
    await stage.objects.create(
      "Secret",
      secret("backup-s3", { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "not-shown" }),
    );
    await reached(stage, "RestoreRunning");
    assert.deepEqual(await jobsOf(stage, "migration"), []);
    assert.deepEqual((await stage.objects.list("Deployment")).length, 0);
    // Another backup of a server that is being restored waits.
    const other = { serverRef: { name: "mlflow" }, destination: onVolume };
    await stage.objects.create("MlflowBackup", { metadata: { name: "early" }, spec: other });
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowBackup", "early");
      assert.match(JSON.stringify(status?.conditions), /is restored from its own backup/);
    });
    stage.kubelet.decide(restorePods(restoreSucceeds));
    const { status } = await stage.ready();
    const { time: _, ...restored } = status?.restore ?? {};
    assert.deepEqual(restored, {
      ...{ backup: "nightly", location: "s3://backups/ml/other/nightly" },
      ...{ experiments: 3, runs: 5, users: 2, registeredModels: 1, credentials: 0 },
    });
    assert.doesNotMatch(JSON.stringify(await stage.objects.list("Job")), /not-shown/);
    await eventually(async () => {
      const events = await stage.objects.list("Event");
      assert.equal(events.filter(({ reason }) => reason === "RestoreCompleted").length, 1);
    });
    // A change is ignored, and the removal deletes the Job.
    await stage.apply(withRestore({ backupRef: { name: "another" } }));
    await stage.ready();
    assert.equal((await jobsOf(stage, "restore")).length, 1);
    await stage.apply(server());
    await eventually(async () => assert.deepEqual(await jobsOf(stage, "restore"), []));
    assert.equal((await stage.ready()).status?.restore?.backup, "nightly");
    await stage.quiet();
  });

  test("reports why the program refuses, and is restored when the spec accepts it", async (context) => {
    const stage = await fixture(context);
    const message = "The kek-passphrase of the server is not that of the backup.";
    const refuses = JSON.stringify({ reason: "RestoreKeysMismatch", message });
    stage.kubelet.decide(restorePods({ does: "exits", exitCode: 1, message: refuses }));
    await existing(stage);
    await stage.apply(withRestore());
    const { status } = await stage.stalled("RestoreKeysMismatch");
    assert.equal(status?.conditions?.find(({ type }) => type === "Restored")?.message, message);
    assert.deepEqual(await jobsOf(stage, "migration"), []);
    const [refused] = await jobsOf(stage, "restore");
    stage.kubelet.decide(restorePods(restoreSucceeds));
    await stage.apply(withRestore({ accept: ["NewKeys"] }));
    await stage.ready();
    const jobs = await jobsOf(stage, "restore");
    assert.equal(jobs.length, 1);
    assert.notEqual(jobs[0], refused);
  });

  test("has one Job, whenever the operator is killed", async (context) => {
    const cluster = await sharedControlPlane();
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await fixture(context, { operator: false });
    const jobs = await history(cluster, stage.namespace, "Job");
    context.after(() => jobs.stop());
    stage.kubelet.decide(restorePods(restoreSucceeds));
    await existing(stage);
    await stage.apply(withRestore());
    const done = async () => {
      const { status } = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(status?.restore?.backup, "nightly");
      assert.equal(status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
    };
    await killedAfterWrites(context, proxy, stage.identity, [`--watch-namespaces=${stage.namespace}`], done);
    const created = (component: string) => async () => {
      const versions = (await jobs.versions()).filter(
        ({ object }) => object.metadata.labels?.[label.component] === component,
      );
      return new Set(versions.map(({ object }) => object.metadata.uid)).size;
    };
    assert.equal(await created("restore")(), 1);
    assert.equal(await created("migration")(), 1);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
