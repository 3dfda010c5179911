import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerStatus } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { CronJob, Owned, Pod } from "../../src/kube/manifests.ts";
import type { Outcome } from "../../src/reconcile/outcome.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { all, inputs, pod, server } from "../support/fixtures.ts";

const ready: Outcome = { state: "ready", cause: { reason: "Ready", message: "m" } };
const garbageCollection = { schedule: "@daily" };
const at = (minute: number) => `2026-01-01T03:0${minute}:00Z`;

function cronJob(status: NonNullable<CronJob["status"]>): Owned {
  const found = all(inputs(server({ garbageCollection }))).find((each): each is CronJob => each.kind === "CronJob");
  assert.ok(found);
  return { ...found, status };
}

/** A pod that ended at that minute. */
function ended(minute: number, exitCode: number, report: object | string): Pod {
  const message = typeof report === "string" ? report : JSON.stringify(report);
  const terminated = { exitCode, finishedAt: at(minute) as never, message };
  const container = { name: "garbage-collection", state: { terminated }, image: "i", imageID: "", ready: false };
  const containerStatuses = [{ ...container, restartCount: 0 }];
  return pod("garbage-collection", { containerStatuses }, { creationTimestamp: at(0) });
}

function statusWith(
  owned: readonly Owned[],
  { spec = {}, status = {} }: { spec?: Partial<MlflowServerSpec>; status?: MlflowServerStatus } = {},
) {
  const subject = { ...server({ garbageCollection, ...spec }), status };
  const found = statusOf({ server: subject, owned, now: new Date(0) }, ready);
  const condition = found.conditions?.find(({ type }) => type === "GarbageCollectionReady");
  return { condition, text: `${condition?.status} ${condition?.reason}`, collection: found.garbageCollection };
}

const counts = { runs: 3, models: 1, experiments: 0, kept: 2, failed: 0, dryRun: false };

describe("the state of the garbage collection", () => {
  test("is True before the first Job, and while no Jobs start", () => {
    assert.equal(statusWith([]).text, "True GarbageCollectionPending");
    assert.equal(statusWith([cronJob({})]).text, "True GarbageCollectionPending");
    assert.equal(statusWith([], { spec: { hibernate: true } }).text, "True GarbageCollectionSuspended");
    const suspend = { spec: { garbageCollection: { ...garbageCollection, suspend: true } } };
    assert.equal(statusWith([], suspend).text, "True GarbageCollectionSuspended");
    assert.equal(statusWith([], { spec: { garbageCollection: undefined as never } }).condition, undefined);
  });

  test("has the counts of the last Job", () => {
    const times = { lastScheduleTime: at(1), lastSuccessfulTime: at(2) };
    const { text, condition, collection } = statusWith([cronJob(times), ended(2, 0, counts)]);
    assert.equal(text, "True GarbageCollectionSucceeded");
    assert.match(condition?.message ?? "", /deleted 3 runs, 1 models and 0 experiments\. 2 were kept/);
    assert.deepEqual(collection, { ...times, deletedRuns: 3 });
    const counted = statusWith([cronJob(times), ended(2, 0, { ...counts, dryRun: true })]);
    assert.match(counted.condition?.message ?? "", /without dryRun would delete 3 runs/);
    // Its pod is gone.
    const later = statusWith([cronJob(times)], { status: { garbageCollection: collection as never } });
    assert.deepEqual(later.collection, collection);
    assert.equal(later.text, "True GarbageCollectionSucceeded");
  });

  test("has the reason that the program reports, until a Job succeeds", () => {
    const failure = { ...counts, reason: "ArtifactStoreReadOnly", message: "The store does not delete." };
    const failed = [cronJob({ lastScheduleTime: at(1) }), ended(2, 1, failure)];
    const { text, condition, collection } = statusWith(failed);
    assert.equal(text, "False ArtifactStoreReadOnly");
    assert.equal(condition?.message, failure.message);
    assert.equal(collection?.deletedRuns, 3);
    // The next Job runs.
    const status = { conditions: condition ? [condition] : [] };
    const runs = cronJob({ lastScheduleTime: at(5), active: [{}] });
    assert.equal(statusWith([runs, pod("garbage-collection", {})], { status }).text, text);
    const succeeded = cronJob({ lastScheduleTime: at(5), lastSuccessfulTime: at(6) });
    assert.equal(statusWith([succeeded, ended(2, 1, failure)], { status }).text, "True GarbageCollectionSucceeded");
  });

  test("is False without a pod that shows why, and for reports that are not of the program", () => {
    assert.equal(statusWith([cronJob({ lastScheduleTime: at(1) })]).text, "False GarbageCollectionFailed");
    const older = { lastScheduleTime: at(5), lastSuccessfulTime: at(2) };
    assert.equal(statusWith([cronJob(older), ended(2, 0, counts)]).text, "False GarbageCollectionFailed");
    for (const report of ["password=secret-1", "{", "[]", '{"runs":"x"}', '{"reason":"x","message":"secret-1"}']) {
      const { text, condition } = statusWith([cronJob({ lastScheduleTime: at(1) }), ended(2, 1, report)]);
      assert.match(text, /^False /);
      assert.doesNotMatch(condition?.message ?? "", /secret-1/);
    }
  });

  test("is False for a volume that only one pod can mount", () => {
    const spec = { artifactStore: { persistentVolume: { accessModes: ["ReadWriteOncePod" as const] } } };
    assert.equal(statusWith([], { spec }).text, "False GarbageCollectionImpossible");
  });
});
