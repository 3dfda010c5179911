import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { MlflowBackup } from "../../../src/api/backup.ts";
import type { Pod } from "../../../src/kube/manifests.ts";
import { label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { history } from "../../support/history.ts";
import { killedAfterWrites } from "../../support/killed-after-writes.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, secret, server } from "../../support/servers.ts";

const onVolume = { persistentVolumeClaim: { claimName: "backups" } };
const inBucket = { s3: { bucket: "backups", credentialsSecretRef: { name: "backup-s3" } } };

const onClaim = (claimName: string) => ({ persistentVolumeClaim: { claimName } });

/** Pods of backups behave like this, and all others are healthy. */
const backups = (outcome: PodOutcome) => (pod: Pod) =>
  pod.metadata.labels?.[label.component] === "backup" ? outcome : healthy(pod);

const message = `${JSON.stringify({ size: 2048, mlflowVersion: "3.17.2", schemaRevision: "abc" })}\n`;
const succeeds: PodOutcome = { does: "succeeds", message };

function request({ objects }: Pick<Fixture, "objects">, name: string, destination: object = onVolume, of = "mlflow") {
  return objects.create("MlflowBackup", { metadata: { name }, spec: { serverRef: { name: of }, destination } });
}

/** Waits until a backup has this phase and this reason, and returns it. */
function reached({ objects }: Fixture, name: string, phase: string, reason: string): Promise<MlflowBackup> {
  return eventually(async () => {
    const found = await objects.the("MlflowBackup", name);
    const ready = found.status?.conditions?.find(({ type }) => type === "Ready");
    assert.deepEqual([found.status?.phase, ready?.reason], [phase, reason], ready?.message ?? "");
    return found;
  });
}

const messageOf = ({ status }: MlflowBackup) => status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";

const isStalled = ({ status }: MlflowBackup) =>
  status?.conditions?.find(({ type }) => type === "Stalled")?.status === "True";

async function backupJobs({ objects }: Fixture): Promise<readonly string[]> {
  const jobs = await objects.list("Job");
  return jobs.filter(({ metadata }) => metadata.name.startsWith("mlflow-backup-")).map(({ metadata }) => metadata.name);
}

describe("backups", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("of a server run one after the other, also while it is hibernated, and do not change it", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready();
    stage.kubelet.decide(backups({ does: "runs" }));
    await request(stage, "first");
    await reached(stage, "first", "Running", "BackupRunning");
    await request(stage, "second");
    const waiting = await reached(stage, "second", "Pending", "BackupWaiting");
    assert.match(messageOf(waiting), /^Waiting until another MlflowBackup of the same server ends, or /);
    assert.equal((await backupJobs(stage)).length, 1);
    await stage.apply(server("mlflow", { "spec.hibernate": true }));
    stage.kubelet.decide(backups(succeeds));
    const { status, metadata } = await reached(stage, "first", "Completed", "BackupCompleted");
    const time = String(metadata.creationTimestamp).replaceAll(/[-:]/g, "");
    const folder = `first-${time}-${status?.job?.slice(-10)}`;
    assert.equal(status?.location, `pvc://backups/${stage.namespace}/mlflow/${folder}`);
    assert.deepEqual([status?.size, status?.mlflowVersion, status?.schemaRevision], ["2Ki", "3.17.2", "abc"]);
    assert.ok(status?.startedAt !== undefined && status.completedAt !== undefined && status.duration !== undefined);
    await reached(stage, "second", "Completed", "BackupCompleted");
    await stage.ready();
    await eventually(async () => {
      const events = (await stage.objects.list("Event")).filter(({ regarding }) => regarding.kind === "MlflowBackup");
      const reasons = events.map(({ reason, regarding }) => `${regarding.name} ${reason}`).toSorted();
      assert.deepEqual(reasons, [
        ...["first BackupCompleted", "first BackupStarted", "second BackupCompleted", "second BackupStarted"],
      ]);
    });
    // Deleting one deletes its Job, and nothing else changes.
    await stage.objects.remove("MlflowBackup", "first");
    await eventually(async () => assert.equal((await backupJobs(stage)).length, 1));
    await stage.quiet();
  });

  test("wait for the pod of a deleted one, and a migration waits for them", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.objects.create("Secret", databaseSecret);
    await stage.ready();
    stage.kubelet.decide(backups({ does: "runs" }));
    await request(stage, "first");
    await reached(stage, "first", "Running", "BackupRunning");
    const isBackup = ({ metadata }: Pod) => metadata.labels?.[label.component] === "backup";
    const pod = await eventually(async () => {
      const found = (await stage.objects.list("Pod")).find(isBackup);
      assert.ok(found);
      return found.metadata.name;
    });
    // As a pod that needs its whole grace period.
    await stage.objects.patch("Pod", pod, { metadata: { finalizers: ["test.example/hold"] } });
    await stage.objects.remove("MlflowBackup", "first");
    await request(stage, "second");
    await reached(stage, "second", "Pending", "BackupWaiting");
    await eventually(async () => assert.deepEqual(await backupJobs(stage), []));
    await stage.quiet();
    await reached(stage, "second", "Pending", "BackupWaiting");
    assert.deepEqual(await backupJobs(stage), []);
    await stage.objects.patch("Pod", pod, { metadata: { finalizers: null } });
    await reached(stage, "second", "Running", "BackupRunning");
    assert.equal((await backupJobs(stage)).length, 1);
    const migrations = async () => {
      const jobs = await stage.objects.list("Job");
      return jobs.filter(({ metadata }) => metadata.labels?.[label.component] === "migration").length;
    };
    await stage.apply(server("mlflow", onPostgresql, { "spec.image": { repository: "registry.example.com/mlflow" } }));
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowServer", "mlflow");
      assert.match(status?.upgrade?.waitingFor ?? "", /^(Pod|Job)\/mlflow-backup-/);
    });
    await stage.quiet();
    assert.equal(await migrations(), 1);
    stage.kubelet.decide(backups(succeeds));
    await reached(stage, "second", "Completed", "BackupCompleted");
    await stage.ready();
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(status?.upgrade, undefined);
    });
  });

  test("that fail are final, with the reason of the program", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready();
    const full = { reason: "BackupDestinationFull", message: "The volume has no space left." };
    stage.kubelet.decide(backups({ does: "fails", exitCode: 1, message: JSON.stringify(full) }));
    await request(stage, "full");
    const failed = await reached(stage, "full", "Failed", "BackupDestinationFull");
    assert.deepEqual([messageOf(failed), isStalled(failed)], [full.message, true]);
    stage.kubelet.decide(backups({ does: "runs" }));
    await request(stage, "deleted");
    await reached(stage, "deleted", "Running", "BackupRunning");
    const [, last = ""] = (
      await Promise.all(["full", "deleted"].map((name) => stage.objects.the("MlflowBackup", name)))
    ).map(({ status }) => status?.job);
    await stage.objects.remove("Job", last, { propagationPolicy: "Background" });
    await reached(stage, "deleted", "Failed", "BackupInterrupted");
    stage.kubelet.decide(backups({ does: "waits", reason: "ImagePullBackOff", message: "no such image" }));
    await request(stage, "waits");
    assert.ok(isStalled(await reached(stage, "waits", "Running", "ImagePullFailed")));
    stage.kubelet.decide(backups(succeeds));
    await reached(stage, "waits", "Completed", "BackupCompleted");
    assert.equal((await stage.objects.the("MlflowBackup", "full")).status?.phase, "Failed");
  });

  test("wait for their server and for their Secret", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server("other"));
    await stage.ready("other");
    await request(stage, "early", inBucket);
    const early = await reached(stage, "early", "Pending", "ServerNotFound");
    assert.match(messageOf(early), /MlflowServer\/mlflow, which does not exist in namespace /);
    assert.ok(isStalled(early));
    stage.kubelet.decide(backups(succeeds));
    await stage.apply(server());
    assert.match(messageOf(await reached(stage, "early", "Pending", "SecretNotFound")), /Secret backup-s3/);
    // A backup that cannot start does not delay others.
    await request(stage, "late");
    await reached(stage, "late", "Completed", "BackupCompleted");
    await stage.objects.create("Secret", secret("backup-s3", { AWS_ACCESS_KEY_ID: "id" }));
    assert.match(messageOf(await reached(stage, "early", "Pending", "SecretKeyMissing")), /AWS_SECRET_ACCESS_KEY/);
    await stage.objects.patch("Secret", "backup-s3", { stringData: { AWS_SECRET_ACCESS_KEY: "not-shown" } });
    await reached(stage, "early", "Completed", "BackupCompleted");
    assert.doesNotMatch(JSON.stringify(await stage.objects.list("Job")), /not-shown/);
  });

  test("are not written to the data volume of a server, and start when the server is gone", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    const volume = { persistentVolume: { existingClaim: "data" } };
    await stage.apply(server("other", { "spec.artifactStore": volume }));
    await stage.ready();
    await stage.ready("other");
    stage.kubelet.decide(backups(succeeds));
    const own = { spec: { serverRef: { name: "mlflow" }, destination: onClaim("mlflow") }, metadata: { name: "own" } };
    await assert.rejects(stage.objects.create("MlflowBackup", own), /is its data volume.*name another claim/s);
    await request(stage, "onto-other", onClaim("data"));
    const held = await reached(stage, "onto-other", "Pending", "BackupDestinationIsServerVolume");
    assert.match(messageOf(held), /PersistentVolumeClaim\/data, which is the data volume of MlflowServer\/other/);
    assert.ok(isStalled(held));
    const schedule = { serverRef: { name: "mlflow" }, schedule: "* * * * *", destination: onClaim("data") };
    await stage.objects.create("MlflowBackupSchedule", { metadata: { name: "often" }, spec: schedule });
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowBackupSchedule", "often");
      assert.equal(status?.conditions?.find(({ type }) => type === "Ready")?.reason, "BackupDestinationIsServerVolume");
    });
    assert.deepEqual(await backupJobs(stage), []);
    await stage.objects.remove("MlflowServer", "other");
    await reached(stage, "onto-other", "Completed", "BackupCompleted");
  });

  test("are not written of SQL Server, which they cannot contain", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    const mssql = { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "database" } };
    await stage.apply(server("mlflow", { "spec.backendStore": { mssql }, "spec.authentication": { none: {} } }));
    const { status } = await stage.ready();
    assert.equal(status?.backendStore, "SQL Server");
    await request(stage, "nightly");
    const held = await reached(stage, "nightly", "Pending", "BackupUnsupported");
    assert.match(messageOf(held), /MlflowServer\/mlflow is SQL Server.*so no backup is written\. Use the backups of/);
    assert.ok(isStalled(held));
    assert.deepEqual(await backupJobs(stage), []);
  });

  test("cannot be changed", async (context) => {
    const stage = await fixture(context, { operator: false });
    const created = await request(stage, "fixed");
    const path = `/apis/mlflow-operator.dev/v1alpha1/namespaces/${stage.namespace}/mlflowbackups/fixed`;
    const spec = { ...created.spec, serverRef: { name: "other" } };
    const answer = await stage.objects.attempt("PATCH", path, { spec }, "application/merge-patch+json");
    assert.equal(answer.status, 422);
    assert.match(answer.body, /the spec of an MlflowBackup cannot be changed: create another one/);
  });

  test("that wait are not written again when another one ends", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready();
    stage.kubelet.decide(backups({ does: "runs" }));
    for (const name of ["a", "b", "c"]) {
      await request(stage, name);
      await reached(
        stage,
        name,
        name === "a" ? "Running" : "Pending",
        name === "a" ? "BackupRunning" : "BackupWaiting",
      );
    }
    const before = await stage.objects.the("MlflowBackup", "c");
    const { status: { job = "" } = {} } = await stage.objects.the("MlflowBackup", "a");
    stage.kubelet.decide((pod) => (pod.metadata.name.startsWith(job) ? succeeds : backups({ does: "runs" })(pod)));
    await reached(stage, "a", "Completed", "BackupCompleted");
    await reached(stage, "b", "Running", "BackupRunning");
    await stage.quiet();
    const { metadata } = await stage.objects.the("MlflowBackup", "c");
    assert.equal(metadata.resourceVersion, before.metadata.resourceVersion);
  });

  test("whose status cannot be written do not hide others", async (context) => {
    const proxy = await startFaultProxy(await sharedControlPlane());
    context.after(() => proxy.close());
    const stage = await fixture(context, { proxy });
    await stage.apply(server());
    await stage.ready();
    stage.kubelet.decide(backups({ does: "runs" }));
    const when = ({ method, path }: { method: string; path: string }) =>
      method === "PATCH" && path.endsWith("/mlflowbackups/a/status");
    const rule = proxy.fault({ when, fault: { kind: "status", code: 500 } });
    await request(stage, "a");
    await rule.first;
    await request(stage, "b");
    await reached(stage, "b", "Pending", "BackupWaiting");
    assert.equal((await backupJobs(stage)).length, 1);
    stage.kubelet.decide(backups(succeeds));
    rule.remove();
    await reached(stage, "a", "Completed", "BackupCompleted");
    await reached(stage, "b", "Completed", "BackupCompleted");
  });

  test("have one Job each, whenever the operator is killed", async (context) => {
    const cluster = await sharedControlPlane();
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await fixture(context);
    const jobs = await history(cluster, stage.namespace, "Job");
    context.after(() => jobs.stop());
    await stage.apply(server());
    await stage.ready();
    await stage.stop();
    stage.kubelet.decide(backups(succeeds));
    await request(stage, "first");
    await request(stage, "second");
    const done = async () => {
      for (const name of ["first", "second"]) {
        const { status } = await stage.objects.the("MlflowBackup", name);
        assert.equal(status?.phase, "Completed");
      }
    };
    const writes = await killedAfterWrites(
      context,
      proxy,
      stage.identity,
      [`--watch-namespaces=${stage.namespace}`],
      done,
    );
    const created = (await jobs.versions())
      .filter(({ object }) => object.metadata.labels?.[label.component] === "backup")
      .map(({ object }) => object.metadata.uid);
    assert.equal(new Set(created).size, 2);
    // Two Jobs, and at least one status each.
    assert.ok(writes.length >= 4, writes.map(({ method, path }) => `${method} ${path}`).join(", "));
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
