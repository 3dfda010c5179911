import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import type { Pod } from "../../../src/kube/manifests.ts";
import { annotation, label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, type Modification, onPostgresql, server } from "../../support/servers.ts";

const older: Modification = { ...onPostgresql, "spec.version": "3.16.1" };
const componentOf = ({ metadata }: Pod) => metadata.labels?.[label.component];

/** Pods of this component behave like this, and all others as usual. */
const only = (component: string, outcome: PodOutcome) => (pod: Pod) =>
  componentOf(pod) === component ? outcome : healthy(pod);

/** A ready server of version 3.16.1. */
async function olderServer(context: TestContext): Promise<Fixture> {
  const stage = await fixture(context);
  await stage.objects.create("Secret", databaseSecret);
  await stage.apply(server("mlflow", older));
  await stage.ready("mlflow", 60);
  return stage;
}

const reported = async ({ objects }: Fixture) => (await objects.the("MlflowServer", "mlflow")).status?.upgrade;

const serverPods = async ({ objects }: Fixture) =>
  (await objects.list("Pod")).filter((pod) => componentOf(pod) === "server").map(({ metadata }) => metadata.uid);

describe("a change of the version", { skip: onK3s(), concurrency: 3 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("whose preflight fails keeps the pods, reports the reason, and continues when the checks pass", async (context) => {
    const stage = await olderServer(context);
    const pods = await serverPods(stage);
    const message = "The MLflow image contains MLflow 3.16.1, and spec.version is 3.17.2.";
    const text = `${JSON.stringify({ reason: "UnsupportedImage", message })}\n`;
    stage.kubelet.decide(only("preflight", { does: "exits", exitCode: 1, message: text }));
    await stage.apply(server("mlflow", onPostgresql));
    const stalled = await stage.stalled("UnsupportedImage");
    assert.match(
      condition(stalled, "Stalled").message,
      /^Preflight of the change from MLflow 3.16.1 to 3.17.2: .* keep serving\.$/,
    );
    assert.deepEqual(
      ["Available", "DatabaseReady"].map((type) => condition(stalled, type).status),
      ["True", "True"],
    );
    assert.deepEqual([stalled.status?.version, stalled.status?.upgrade?.phase], ["3.16.1", "Preflight"]);
    const since = await stage.quiet();
    await steadily(async () => assert.deepEqual(await stage.writes(since), []), 1);
    assert.deepEqual(await serverPods(stage), pods);
    stage.kubelet.decide(healthy);
    const ready = await stage.ready("mlflow", 60);
    assert.deepEqual([ready.status?.version, ready.status?.upgrade], ["3.17.2", undefined]);
  });

  test("waits for approval without a call, then stops the pods, migrates and starts new ones", async (context) => {
    const stage = await olderServer(context);
    const pods = await serverPods(stage);
    await stage.apply(server("mlflow", onPostgresql, { "spec.upgrade": { approval: "Manual" } }));
    await eventually(async () => assert.equal((await reported(stage))?.phase, "Waiting"));
    const approval = (await reported(stage))?.approval ?? "";
    assert.match(approval, /^3\.17\.2-[0-9a-f]{10}$/);
    assert.equal((await reported(stage))?.waitingFor, `annotation ${annotation.approveUpgrade}: ${approval}`);
    const since = await stage.quiet();
    await steadily(async () => assert.deepEqual(await stage.writes(since), []), 1);
    assert.deepEqual(await serverPods(stage), pods);
    stage.kubelet.decide(only("migration", { does: "runs" }));
    // One edit approves the change that was checked, and changes its image.
    const image = { repository: "registry.example.com/mlflow" };
    const annotations = (value: string) => ({ metadata: { annotations: { [annotation.approveUpgrade]: value } } });
    await stage.objects.patch("MlflowServer", "mlflow", { ...annotations(approval), spec: { image } });
    await eventually(async () => {
      const upgrade = await reported(stage);
      assert.equal(upgrade?.phase, "Waiting");
      assert.notEqual(upgrade.approval, approval);
    });
    const { status } = await stage.objects.the("MlflowServer", "mlflow");
    const message = status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
    assert.match(message, /registry\.example\.com\/mlflow\S+ waits for approval/);
    assert.deepEqual(await serverPods(stage), pods);
    await stage.objects.patch("MlflowServer", "mlflow", annotations(/approve-upgrade=(\S+)$/.exec(message)?.[1] ?? ""));
    await eventually(async () => assert.equal((await reported(stage))?.phase, "Migrating"));
    assert.deepEqual(await serverPods(stage), [], "a pod of the former version runs during the migration");
    stage.kubelet.decide(healthy);
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.2");
    await eventually(async () => {
      const jobs = (await stage.objects.list("Job")).map(({ metadata }) => metadata.labels?.[label.component]);
      assert.deepEqual(jobs, ["migration"]);
    });
    const [deployment] = await stage.objects.list("Deployment");
    assert.equal(deployment?.metadata.annotations?.[annotation.stoppedFor], undefined);
  });
});

describe("the backup before a change of the version", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("is written while no pod runs; if it fails, the pods of the previous version start again", async (context) => {
    const stage = await olderServer(context);
    const destination = { persistentVolumeClaim: { claimName: "backups" } };
    const spec = { serverRef: { name: "mlflow" }, schedule: "0 0 1 1 *", destination };
    const full = JSON.stringify({ reason: "BackupDestinationFull", message: "The volume has no space left." });
    stage.kubelet.decide(only("backup", { does: "fails", exitCode: 1, message: full }));
    const backup = { scheduleRef: { name: "nightly" } };
    await stage.apply(server("mlflow", onPostgresql, { "spec.upgrade": { backup } }));
    await stage.stalled("BackupScheduleNotFound");
    assert.equal((await serverPods(stage)).length, 1);
    await stage.objects.create("MlflowBackupSchedule", { metadata: { name: "nightly" }, spec });
    const failed = await stage.stalled("UpgradeBackupFailed");
    assert.match(condition(failed, "Stalled").message, /failed \(BackupDestinationFull\).* keep serving\. /);
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowServer", "mlflow");
      assert.deepEqual([status?.version, status?.readyReplicas], ["3.16.1", 1]);
    });
    const since = await stage.quiet();
    await steadily(async () => assert.deepEqual(await stage.writes(since), []), 1);
    stage.kubelet.decide(only("backup", { does: "runs" }));
    const [first] = await stage.objects.list("MlflowBackup");
    assert.deepEqual(first?.spec, { serverRef: { name: "mlflow" }, destination });
    await stage.objects.remove("MlflowBackup", first?.metadata.name ?? "");
    await eventually(async () => {
      const [second] = await stage.objects.list("MlflowBackup");
      assert.equal(second?.status?.phase, "Running");
    });
    assert.equal((await reported(stage))?.phase, "BackingUp");
    assert.deepEqual(await serverPods(stage), [], "a pod writes while the backup is written");
    const jobs = await stage.objects.list("Job");
    const job = jobs.find(({ metadata }) => metadata.labels?.[label.component] === "backup");
    const env = job?.spec.template.spec?.containers[0]?.env ?? [];
    assert.equal(env.find(({ name }) => name === "BACKUP_MLFLOW_VERSION")?.value, "3.16.1");
    assert.ok(
      !jobs.some(
        ({ metadata }) =>
          metadata.labels?.[label.version] === "3.17.2" && metadata.labels?.[label.component] === "migration",
      ),
    );
    const result = `${JSON.stringify({ size: 1, mlflowVersion: "3.16.1", schemaRevision: "a" })}\n`;
    stage.kubelet.decide(only("backup", { does: "succeeds", message: result }));
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.2");
  });

  test("is written again by another MlflowBackup if its Job is deleted or its pod is killed, while no pod runs", async (context) => {
    const stage = await olderServer(context);
    const destination = { persistentVolumeClaim: { claimName: "backups" } };
    const spec = { serverRef: { name: "mlflow" }, schedule: "0 0 1 1 *", destination };
    await stage.objects.create("MlflowBackupSchedule", { metadata: { name: "nightly" }, spec });
    stage.kubelet.decide(only("backup", { does: "runs" }));
    const backup = { scheduleRef: { name: "nightly" } };
    await stage.apply(server("mlflow", onPostgresql, { "spec.upgrade": { backup } }));
    /** Waits until this backup runs, and returns its Job. */
    const running = (index: number) =>
      eventually(async () => {
        const found = (await stage.objects.list("MlflowBackup"))[index]?.status;
        assert.equal(found?.phase, "Running");
        return found.job ?? "";
      });
    await stage.objects.remove("Job", await running(0), { propagationPolicy: "Background" });
    await running(1);
    assert.deepEqual([await serverPods(stage), (await reported(stage))?.phase], [[], "BackingUp"]);
    const [first, second] = await stage.objects.list("MlflowBackup");
    assert.equal(first?.status?.conditions?.find(({ type }) => type === "Ready")?.reason, "BackupInterrupted");
    assert.equal(second?.metadata.name, `${first?.metadata.name}-2`);
    stage.kubelet.decide(only("backup", { does: "fails", exitCode: 137, message: "" }));
    const failed = await stage.stalled("UpgradeBackupFailed");
    assert.match(condition(failed, "Stalled").message, /-5 before .* failed \(BackupInterrupted\).* keep serving\. /);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
