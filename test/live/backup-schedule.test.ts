import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MlflowBackup } from "../../src/api/backup.ts";
import { createBackupClaim, endedBackup } from "./backup-claim.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { basicOn, startPostgresql } from "./postgresql-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "kept";
const eachMinute = "* * * * *";

test("scheduled backups and garbage collection, and a backup before the migration of an upgrade", {
  timeout: 2_400_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const { objects } = fixture;
  await imageReference(fixture.cluster, `mlflow-server:${oldestVersion}`);
  const postgresql = await startPostgresql(fixture);
  const { destination, pathOf } = await createBackupClaim(fixture);
  const spec = {
    version: oldestVersion,
    ...basicOn(postgresql),
    artifactStore: { persistentVolume: { size: "1Gi" } },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);
  const [run, deleted] = [await logRun(admin), await logRun(admin)];
  await admin.json("POST", "/api/2.0/mlflow/runs/delete", { run_id: deleted.runId });
  /** Whether all files of a backup exist with their content: the Job of another MlflowBackup compares their SHA-256. */
  const isComplete = async (backup: MlflowBackup) => {
    const check = `check-${backup.metadata.name}`;
    const existing = { path: pathOf(backup) };
    await objects.create("MlflowBackup", {
      metadata: { name: check },
      spec: { serverRef: { name }, existing, destination },
    });
    return (await endedBackup(fixture, check)).status?.phase === "Completed";
  };

  await context.test("a backup each minute, of which retention keeps the last one", async () => {
    await objects.create("MlflowBackupSchedule", {
      metadata: { name: "minutely" },
      spec: { serverRef: { name }, schedule: eachMinute, retention: { keep: 1 }, destination },
    });
    const last = async (before?: string) =>
      waitUntil(async () => {
        const { status } = await objects.the("MlflowBackupSchedule", "minutely");
        assert.notEqual(status?.lastSuccessfulBackup ?? before, before, JSON.stringify(status?.conditions));
        return objects.the("MlflowBackup", status?.lastSuccessfulBackup ?? "");
      }, timeoutSeconds);
    const first = await last();
    assert.match(first.metadata.name, /^minutely-\d{14}$/);
    await last(first.metadata.name);
    await objects.patch("MlflowBackupSchedule", "minutely", { spec: { suspend: true } });
    const [only] = await waitUntil(async () => {
      const backups = await objects.list("MlflowBackup");
      assert.ok(backups.length === 1 && backups[0]?.status?.phase === "Completed", backups.map(textOf).join(", "));
      return backups;
    }, timeoutSeconds);
    assert.ok(only !== undefined && only.metadata.name !== first.metadata.name);
    const { status } = await objects.the("MlflowBackupSchedule", "minutely");
    assert.deepEqual([status?.completeBackups, status?.lastSuccessfulBackup], [1, only.metadata.name]);
    assert.equal(await isComplete(only), true);
    assert.equal(await isComplete(first), false, "its files still exist");
  });

  await context.test("a garbage collection each minute deletes a deleted run, and no other", async () => {
    const garbageCollection = { schedule: eachMinute, olderThan: "1s" };
    await fixture.apply({ metadata: { name }, spec: { ...spec, garbageCollection } });
    await waitUntil(async () => {
      const answer = await admin.call("GET", `/api/2.0/mlflow/runs/get?run_id=${deleted.runId}`);
      assert.equal(answer.status, 404, answer.body);
      const { status } = await objects.the("MlflowServer", name);
      const ready = status?.conditions?.find(({ type }) => type === "GarbageCollectionReady");
      assert.equal(ready?.reason, "GarbageCollectionSucceeded", ready?.message ?? "");
      const { lastScheduleTime, lastSuccessfulTime } = status?.garbageCollection ?? {};
      assert.ok(lastScheduleTime !== undefined && lastSuccessfulTime !== undefined);
    }, timeoutSeconds);
    await assertKept(admin, run);
  });

  await context.test("an upgrade writes a backup after the pods have stopped, and then migrates", async (step) => {
    const upgrade = { backup: { scheduleRef: { name: "minutely" } } };
    const phases: string[] = [];
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const { status } = await objects.the("MlflowServer", name);
        const { phase } = status?.upgrade ?? {};
        if (phase !== undefined && phases.at(-1) !== phase) phases.push(phase);
        await sleep(100);
      }
    })();
    const began = performance.now();
    await fixture.apply({ metadata: { name }, spec: { ...spec, version: testedVersion, upgrade } });
    const { status } = await fixture.ready(name);
    step.diagnostic(`the upgrade took ${Math.round((performance.now() - began) / 1000)} s: ${phases.join(", ")}`);
    isOver = true;
    await watching;
    assert.deepEqual([status?.version, status?.upgrade], [testedVersion, undefined]);
    assert.deepEqual(
      phases.filter((phase) => phase !== "Waiting"),
      ["Preflight", "StoppingWriters", "BackingUp", "Migrating", "RollingOut"],
    );
    await assertKept(admin, run);
    const [backup, ...more] = (await objects.list("MlflowBackup")).filter(({ metadata }) =>
      metadata.name.startsWith(`${name}-upgrade-`),
    );
    assert.ok(backup !== undefined && more.length === 0);
    assert.deepEqual([backup.status?.phase, backup.status?.mlflowVersion], ["Completed", oldestVersion]);
    const migration = (await objects.list("Job")).find(({ metadata }) => metadata.name === status?.migration?.job);
    const [backedUp, migrated] = [backup.status?.completedAt, migration?.metadata.creationTimestamp].map(String);
    // Times are in whole seconds.
    assert.ok(Date.parse(backedUp ?? "") <= Date.parse(migrated ?? "") + 1000, `${backedUp}, ${migrated}`);
    assert.equal(await isComplete(backup), true);
  });
});

function textOf({ metadata, status }: MlflowBackup): string {
  return `${metadata.name}: ${status?.phase}`;
}
