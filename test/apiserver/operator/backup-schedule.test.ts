import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MlflowBackup } from "../../../src/api/backup.ts";
import type { MlflowBackupSchedule } from "../../../src/api/backup-schedule.ts";
import type { Pod } from "../../../src/kube/manifests.ts";
import { label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { history } from "../../support/history.ts";
import { killedAfterWrites } from "../../support/killed-after-writes.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";

const destination = { persistentVolumeClaim: { claimName: "backups" } };

const backups = (outcome: PodOutcome) => (pod: Pod) =>
  pod.metadata.labels?.[label.component] === "backup" ? outcome : healthy(pod);

const complete = (retention?: object): PodOutcome => ({
  does: "succeeds",
  message: `${JSON.stringify({ size: 2048, mlflowVersion: "3.17.2", schemaRevision: "abc", ...(retention && { retention }) })}\n`,
});

function create({ objects }: Fixture, name: string, spec: object = {}): Promise<MlflowBackupSchedule> {
  const all = { serverRef: { name: "mlflow" }, schedule: "0 0 1 1 *", destination, ...spec };
  return objects.create("MlflowBackupSchedule", { metadata: { name }, spec: all });
}

/** Creates the backup of a schedule for a time in the past, as the operator did at that time. */
function backup(
  { objects }: Fixture,
  day: number,
  kept: { keep?: number; olderThan?: string } = {},
): Promise<MlflowBackup> {
  const metadata = { name: `nightly-202601${String(day).padStart(2, "0")}020000` };
  const schedule = { name: "nightly", ...kept };
  return objects.create("MlflowBackup", { metadata, spec: { serverRef: { name: "mlflow" }, destination, schedule } });
}

function has({ objects }: Fixture, name: string, status: string, reason: string): Promise<MlflowBackupSchedule> {
  return eventually(async () => {
    const found = await objects.the("MlflowBackupSchedule", name);
    const ready = found.status?.conditions?.find(({ type }) => type === "Ready");
    assert.deepEqual([ready?.status, ready?.reason], [status, reason], ready?.message ?? "");
    assert.equal(found.status?.observedGeneration, found.metadata.generation);
    return found;
  }, 120);
}

async function names({ objects }: Fixture): Promise<string[]> {
  return (await objects.list("MlflowBackup")).map(({ metadata }) => metadata.name).sort();
}

async function completed({ objects }: Fixture, name: string): Promise<MlflowBackup> {
  return eventually(async () => {
    const found = await objects.the("MlflowBackup", name);
    assert.equal(found.status?.phase, "Completed", JSON.stringify(found.status));
    return found;
  });
}

/** A schedule of one minute of each day: the next one, and a function that waits until it has passed. */
function nextMinute(): { schedule: string; suffix: string; passed: () => Promise<void> } {
  const time = new Date(Math.ceil((Date.now() + 1000) / 60_000) * 60_000);
  return {
    schedule: `${time.getUTCMinutes()} ${time.getUTCHours()} * * *`,
    suffix: time.toISOString().slice(0, 19).replaceAll(/[-:T]/g, ""),
    passed: async () => {
      while (Date.now() <= time.getTime()) await sleep(100);
    },
  };
}

describe("backup schedules", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("create the backup of each time once, whenever the operator is killed", async (context) => {
    const cluster = await sharedControlPlane();
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await fixture(context);
    const jobs = await history(cluster, stage.namespace, "Job");
    context.after(() => jobs.stop());
    await stage.apply(server());
    await stage.ready();
    await stage.stop();
    stage.kubelet.decide(backups(complete({ deleted: 0 })));
    const { schedule, suffix, passed } = nextMinute();
    await create(stage, "first", { schedule, retention: { keep: 2, olderThan: "720h" } });
    await create(stage, "second", { schedule });
    await create(stage, "suspended", { schedule, suspend: true });
    await create(stage, "late", { schedule, startingDeadline: "1s" });
    await passed();
    await sleep(1500);
    const expected = [`first-${suffix}`, `second-${suffix}`];
    const done = async () => {
      assert.deepEqual(await names(stage), expected);
      for (const name of ["first", "second"]) {
        const { status } = await stage.objects.the("MlflowBackupSchedule", name);
        assert.equal(status?.lastSuccessfulBackup, `${name}-${suffix}`);
      }
      for (const name of ["suspended", "late"]) {
        const { status } = await stage.objects.the("MlflowBackupSchedule", name);
        assert.equal(status?.conditions?.[0]?.status, "True");
      }
    };
    const args = [`--watch-namespaces=${stage.namespace}`];
    const writes = await killedAfterWrites(context, proxy, stage.identity, args, done);
    assert.ok(writes.length >= 10, writes.map(({ method, path }) => `${method} ${path}`).join(", "));
    const created = (await jobs.versions())
      .filter(({ object }) => object.metadata.labels?.[label.component] === "backup")
      .map(({ object }) => object.metadata.uid);
    assert.equal(new Set(created).size, 2);
    const { metadata, spec } = await stage.objects.the("MlflowBackup", `first-${suffix}`);
    const kept = { name: "first", keep: 2, olderThan: "720h" };
    assert.deepEqual(spec, { serverRef: { name: "mlflow" }, destination, schedule: kept });
    assert.equal(metadata.labels?.[label.backupSchedule], "first");
    const { status } = await stage.objects.the("MlflowBackupSchedule", "first");
    assert.equal(status?.lastScheduledTime?.replaceAll(/[-:TZ]/g, ""), suffix);
    assert.ok(Date.parse(status?.nextScheduledTime ?? "") - Date.parse(status?.lastScheduledTime ?? "") === 86_400_000);
    // Without the deadline the missed one is created.
    await stage.start();
    await stage.objects.patch("MlflowBackupSchedule", "late", { spec: { startingDeadline: null } });
    await completed(stage, `late-${suffix}`);
    await stage.objects.patch("MlflowBackupSchedule", "suspended", { spec: { suspend: false } });
    await completed(stage, `suspended-${suffix}`);
    await stage.quiet();
  });

  test("delete old MlflowBackups after the new one has deleted their files", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready();
    stage.kubelet.decide(backups(complete()));
    await create(stage, "nightly", { retention: { keep: 2 } });
    for (const day of [1, 2, 3]) {
      await backup(stage, day);
      await completed(stage, `nightly-2026010${day}020000`);
    }
    const rejected = { reason: "RetentionFailed", message: "Deleting older backups: the bucket denies it." };
    stage.kubelet.decide(backups(complete(rejected)));
    await backup(stage, 4, { keep: 2 });
    const failed = await has(stage, "nightly", "False", "RetentionFailed");
    assert.match(
      failed.status?.conditions?.[0]?.message ?? "",
      /nightly-20260104020000 is complete, and .* the bucket denies it/,
    );
    assert.equal((await names(stage)).length, 4);
    stage.kubelet.decide(
      backups({
        does: "fails",
        exitCode: 1,
        message: JSON.stringify({ reason: "DatabaseFull", message: "No space." }),
      }),
    );
    await backup(stage, 5, { keep: 2 });
    const { status } = await has(stage, "nightly", "False", "LastBackupFailed");
    assert.deepEqual([status?.failedBackups, status?.lastSuccessfulBackup], [1, "nightly-20260104020000"]);
    assert.equal((await names(stage)).length, 5);
    stage.kubelet.decide(backups(complete({ deleted: 3 })));
    await backup(stage, 6, { keep: 2 });
    await has(stage, "nightly", "True", "Scheduled");
    await eventually(async () =>
      assert.deepEqual(await names(stage), [
        "nightly-20260104020000",
        "nightly-20260105020000",
        "nightly-20260106020000",
      ]),
    );
    const newest = await completed(stage, "nightly-20260106020000");
    const retention = newest.status?.conditions?.find(({ type }) => type === "RetentionApplied");
    assert.equal(retention?.message, "The files of 3 older backups were deleted.");
    assert.ok(newest.status?.serverUID !== undefined);
    const since = await stage.quiet();
    await stage.stop();
    await stage.start();
    await eventually(() => assert.ok(stage.operator().log.some(({ message }) => message === "all watches are synced")));
    await stage.quiet();
    assert.deepEqual(await stage.writes(since), []);
  });

  test("delete MlflowBackups that are older than the age, with a number only those beyond it, never the newest", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready();
    stage.kubelet.decide(backups(complete({ deleted: 0 })));
    await create(stage, "nightly", { retention: { olderThan: "1s" } });
    const name = (day: number) => `nightly-2026010${day}020000`;
    for (const day of [1, 2, 3]) {
      await backup(stage, day);
      await completed(stage, name(day));
    }
    // Times of objects are seconds.
    await sleep(2100);
    await backup(stage, 4, { olderThan: "1s", keep: 3 });
    await completed(stage, name(4));
    await eventually(async () => assert.deepEqual(await names(stage), [2, 3, 4].map(name)));
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowBackupSchedule", "nightly");
      assert.equal(status?.completeBackups, 3);
    });
    await sleep(2100);
    await backup(stage, 5, { olderThan: "1s" });
    await completed(stage, name(5));
    await eventually(async () => assert.deepEqual(await names(stage), [name(5)]));
    await backup(stage, 6, { olderThan: "1h" });
    await completed(stage, name(6));
    await stage.quiet();
    assert.deepEqual(await names(stage), [name(5), name(6)]);
  });

  test("report a missing server, a time that does not exist, and a backup that cannot run", async (context) => {
    const stage = await fixture(context, { operator: { gracePeriodSeconds: 0 } });
    // No server exists in the namespace.
    await create(stage, "nightly");
    await has(stage, "nightly", "False", "ServerNotFound");
    await backup(stage, 1);
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowBackup", "nightly-20260101020000");
      assert.equal(status?.conditions?.[0]?.reason, "ServerNotFound");
    });
    stage.kubelet.decide(backups({ does: "waits", reason: "ImagePullBackOff", message: "no such image" }));
    await stage.apply(server());
    await has(stage, "nightly", "False", "BackupStalled");
    stage.kubelet.decide(backups(complete()));
    await has(stage, "nightly", "True", "Scheduled");
    await create(stage, "never", { schedule: "0 0 30 2 *" });
    const never = await has(stage, "never", "False", "InvalidSchedule");
    assert.match(never.status?.conditions?.[0]?.message ?? "", /^spec\.schedule names no time/);
    assert.equal(never.status?.nextScheduledTime, undefined);
    await create(stage, "nowhere", { timeZone: "Europe/Nowhere" });
    await has(stage, "nowhere", "False", "InvalidSchedule");
    await stage.objects.patch("MlflowBackupSchedule", "nowhere", { spec: { timeZone: "Europe/Berlin" } });
    await has(stage, "nowhere", "True", "Scheduled");
    await stage.objects.remove("MlflowServer", "mlflow");
    await has(stage, "nightly", "False", "ServerNotFound");
    // Its backups stay.
    await stage.objects.remove("MlflowBackupSchedule", "nightly");
    await stage.quiet();
    assert.deepEqual(await names(stage), ["nightly-20260101020000"]);
  });

  test("cannot name another server later", async (context) => {
    const stage = await fixture(context, { operator: false });
    await create(stage, "nightly");
    const path = `/apis/mlflow-operator.dev/v1alpha1/namespaces/${stage.namespace}/mlflowbackupschedules/nightly`;
    const spec = { serverRef: { name: "other" } };
    const answer = await stage.objects.attempt("PATCH", path, { spec }, "application/merge-patch+json");
    assert.equal(answer.status, 422);
    assert.match(answer.body, /serverRef cannot be changed: create another MlflowBackupSchedule/);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
