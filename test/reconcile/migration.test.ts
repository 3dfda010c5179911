import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1ContainerStatus } from "@kubernetes/client-node";
import type { MigrationRecord } from "../../src/api/status.ts";
import type { Job, Owned, Pod } from "../../src/kube/manifests.ts";
import { annotation } from "../../src/kube/names.ts";
import {
  migrationOf as decide,
  overdueSeconds,
  recordedFirst,
  withoutCreation,
} from "../../src/reconcile/migration.ts";
import { deploymentOf, inputs, jobOf, pod, recordOf, server } from "../support/fixtures.ts";

const now = new Date("2026-01-02T00:00:00Z");
/** A decision, by default without a record in the status. */
const migrationOf = (job: Job | undefined, owned: readonly Owned[], record?: MigrationRecord) =>
  decide(job, { owned, record, now });

const wanted = jobOf(inputs());
const attempted = (job: Job, uid: string, attempt: string): Job => ({
  ...job,
  metadata: { ...job.metadata, uid, annotations: { ...job.metadata.annotations, [annotation.attempt]: attempt } },
});
const live = (change: Partial<Job> = {}): Job => ({
  ...attempted(wanted, "job", "2026-01-01T02:00:00.000Z"),
  ...change,
});
const finished = (type: string): Partial<Job> => ({ status: { conditions: [{ type, status: "True" }] } });
const earlier = (change: Partial<Job> = {}): Job => {
  const job = jobOf(inputs(server({ version: "3.16.1" })));
  return { ...attempted(job, "earlier", "2026-01-01T01:00:00.000Z"), ...change };
};
const podOf = (job: Job, status: Pod["status"]) =>
  pod("migration", status, {
    ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "x", uid: job.metadata.uid ?? "" }],
  });

describe("the migration", () => {
  test("starts if there is no Job", () => {
    const found = migrationOf(wanted, []);
    assert.equal(found.complete, false);
    assert.equal(found.create?.metadata.name, wanted.metadata.name);
    assert.equal(found.create?.metadata.annotations?.[annotation.attempt], now.toISOString());
    assert.equal(found.isRecordedFirst, undefined, "there is no record to withdraw");
  });

  test("is complete only with a completed Job of the wanted name", () => {
    assert.equal(migrationOf(wanted, [live(finished("Complete"))]).complete, true);
    assert.equal(migrationOf(wanted, [live()]).complete, false);
    assert.equal(migrationOf(wanted, [earlier(finished("Complete"))]).complete, false);
    assert.equal(migrationOf(wanted, [live(finished("Failed"))]).complete, false);
  });

  test("keeps the Job of the running version until the new one is complete, then removes it", () => {
    const former = earlier(finished("Complete"));
    assert.deepEqual(migrationOf(wanted, [former]).remove, []);
    assert.deepEqual(migrationOf(wanted, [former, live(finished("Complete"))]).remove, [former]);
  });

  test("never runs at the same time as another: it waits for a running one", () => {
    const other = earlier();
    const found = migrationOf(wanted, [other, podOf(other, { containerStatuses: [running] })]);
    assert.equal(found.create, undefined);
    assert.deepEqual(found.remove, []);
  });

  test("never runs at the same time as another: it removes a stuck one, and starts when that is gone", () => {
    const other = earlier();
    const stuck = migrationOf(wanted, [other]);
    assert.equal(stuck.create, undefined);
    assert.deepEqual(stuck.remove, [other]);
    const leaving = earlier({ metadata: { ...other.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    const waiting = migrationOf(wanted, [leaving]);
    assert.equal(waiting.create, undefined);
    assert.deepEqual(waiting.remove, []);
  });

  test("starts again when a Secret has changed after a failure, but not once it is complete", () => {
    const { metadata } = live();
    const before = { ...metadata, annotations: { ...metadata.annotations, "mlflow-operator.dev/inputs": "former" } };
    assert.equal(migrationOf(wanted, [live({ metadata: before })]).remove.length, 1);
    assert.equal(migrationOf(wanted, [live({ metadata: before, ...finished("Complete") })]).complete, true);
  });

  test("is complete by the record in the status, so a deleted Job is not created again", () => {
    const found = migrationOf(wanted, [], recordOf(wanted));
    assert.equal(found.complete, true);
    assert.equal(found.create, undefined);
    assert.equal(migrationOf(wanted, [], { ...recordOf(wanted), phase: "Started" }).complete, false);
  });

  test("is not complete by a Deployment", () => {
    assert.equal(migrationOf(wanted, [deploymentOf(inputs())]).complete, false);
  });

  test("is not complete by a completed Job once a later one was created: it runs again", () => {
    const former = live(finished("Complete"));
    const later = attempted(earlier(), "later", "2026-01-01T03:00:00.000Z");
    const atWork = podOf(later, { containerStatuses: [running] });
    const found = migrationOf(wanted, [former, later, atWork], recordOf(wanted));
    assert.deepEqual([found.complete, found.remove, found.create], [false, [], undefined]);
    assert.equal(found.cause.reason, "MigrationPending");
    const record = { ...recordOf(later), attempt: "2026-01-01T03:00:00.000Z", phase: "Started" } as const;
    assert.deepEqual(migrationOf(wanted, [former], record).remove, [former]);
    const again = migrationOf(wanted, [], record);
    assert.equal(again.create?.metadata.name, wanted.metadata.name);
    assert.ok((again.record?.attempt ?? "") > record.attempt);
  });

  test("that is deleted before its program has run leaves the previous one complete", () => {
    const { job, version, database, attempt } = recordOf(wanted);
    const later = attempted(earlier(), "later", "2026-01-01T03:00:00.000Z");
    const record: MigrationRecord = {
      ...recordOf(later),
      phase: "Started",
      attempt: "2026-01-01T03:00:00.000Z",
      previous: { job, version, database, attempt },
    };
    const leaving = { ...later, metadata: { ...later.metadata, deletionTimestamp: "2026-01-01T04:00:00Z" } };
    const state = (containerStatus: Partial<V1ContainerStatus>) =>
      migrationOf(
        wanted,
        [leaving, podOf(leaving, { containerStatuses: [{ ...base, restartCount: 0, ...containerStatus }] })],
        record,
      );
    const unpulled = state({ state: { waiting: { reason: "ImagePullBackOff" } } });
    assert.deepEqual([unpulled.complete, unpulled.record?.job, unpulled.record?.phase], [false, job, "Complete"]);
    assert.equal(migrationOf(wanted, [], unpulled.record).complete, true);
    for (const began of [
      { state: { running: {} } },
      { restartCount: 1 },
      { lastState: { terminated: { exitCode: 1 } } },
    ])
      assert.equal(state(began).record?.phase, "Started");
    assert.equal(migrationOf(wanted, [], record).complete, false, "its completion was not observed");
    const restored = unpulled.record;
    const begun = podOf(leaving, { containerStatuses: [running] });
    assert.equal(
      migrationOf(wanted, [leaving, begun], restored).record?.phase,
      "Started",
      "it began at the last moment",
    );
  });

  test("withdraws the previous record before a Job is created", () => {
    assert.equal(migrationOf(wanted, [], recordOf(earlier())).isRecordedFirst, true);
    assert.equal(migrationOf(wanted, [earlier(finished("Complete"))]).isRecordedFirst, true);
  });

  test("records immediately that a Job has completed that another client deletes", () => {
    const record = { ...recordOf(wanted), phase: "Started" } as const;
    const vanishing = live({ ...finished("Complete"), spec: { ...wanted.spec, ttlSecondsAfterFinished: 0 } });
    const found = migrationOf(wanted, [vanishing], record);
    assert.deepEqual([found.complete, found.isRecordedFirst, found.record?.phase], [true, true, "Complete"]);
    assert.equal(migrationOf(wanted, [live(finished("Complete"))], record).isRecordedFirst, undefined);
  });

  test("that is running is never deleted, with any change", () => {
    const job = live();
    const atWork = podOf(job, { containerStatuses: [running] });
    const rotated = { ...job, metadata: { ...job.metadata, annotations: { [annotation.attempt]: "x" } } };
    for (const [target, owned] of [
      [jobOf(inputs(server({ version: "3.17.1" }))), [job, atWork]],
      [wanted, [rotated, atWork]],
      [undefined, [job, atWork]],
    ] as const) {
      const found = migrationOf(target, owned);
      assert.deepEqual([found.complete, found.remove, found.create], [false, [], undefined]);
    }
  });

  test("waits for a pod whose Job was deleted", () => {
    const orphan = podOf(live(), { phase: "Pending" });
    const found = migrationOf(wanted, [orphan]);
    assert.deepEqual([found.complete, found.create, found.cause.reason], [false, undefined, "MigrationPending"]);
    assert.match(found.cause.message, /kubectl delete pod -n team-a demo-migration-pod/);
  });

  test("does not create a Job again that was deleted before it completed within seconds", () => {
    const record = { ...recordOf(wanted), phase: "Started" } as const;
    const early = migrationOf(wanted, [], { ...record, startTime: "2026-01-01T23:59:57.000Z" });
    assert.deepEqual([early.create, early.againInSeconds], [undefined, 7]);
    assert.ok(migrationOf(wanted, [], { ...record, startTime: "2026-01-01T23:59:50.000Z" }).create !== undefined);
    assert.ok(migrationOf(wanted, [], { ...record, startTime: "2026-01-03T00:00:00.000Z" }).create !== undefined);
  });

  test("keeps reporting why a Job cannot be created, and not that it was deleted", () => {
    const cause = { reason: "NameConflict", message: "Job/demo-migration exists." } as const;
    const complete = recordOf(earlier());
    const previous = { job: complete.job, version: complete.version, database: complete.database, attempt: "2026" };
    const before: readonly (MigrationRecord | undefined)[] = [
      undefined,
      complete,
      { ...recordOf(wanted), phase: "Started" },
      { ...recordOf(wanted), phase: "Started", previous },
    ];
    for (const first of before) {
      let record = first;
      const reports = [0, 1, 2, 30].map((seconds) => {
        const decision = decide(wanted, { owned: [], record, now: new Date(now.getTime() + seconds * 1000) });
        assert.ok(decision.create !== undefined);
        const failed = withoutCreation(decision, recordedFirst(decision) ?? record, cause);
        record = failed.record;
        return failed;
      });
      const [last, ...others] = reports.reverse().map((report) => [report.cause, report.complete, report.record]);
      assert.deepEqual(others[0], last);
      assert.deepEqual(last?.[0], cause);
      assert.notEqual(record?.phase, "Complete", "a record that was replaced stays replaced");
    }
  });

  test("takes the creation time from the Job if it is not recorded", () => {
    const { startTime: _, ...record } = { ...recordOf(wanted), phase: "Started" as const };
    const creationTimestamp = "2026-01-01T23:59:57Z";
    const running = live({ metadata: { ...live().metadata, creationTimestamp } });
    assert.equal(migrationOf(wanted, [running], record).record?.startTime, creationTimestamp);
  });

  test("to a version older than the schema is rejected, and nothing is created or deleted", () => {
    const older = jobOf(inputs(server({ version: "3.16.1" })));
    const found = migrationOf(older, [live(finished("Complete"))]);
    assert.deepEqual([found.isRejected, found.create, found.remove], [true, undefined, []]);
    assert.equal(found.cause.reason, "DowngradeRejected");
    assert.match(found.cause.message, /MLflow 3\.17\.2.*MLflow 3\.16\.1.*database-restored/);
    const metadata = { ...server().metadata, annotations: { [annotation.restored]: "2026-01-02" } };
    const restored = jobOf(inputs(server({ version: "3.16.1" }, { metadata })));
    assert.equal(migrationOf(restored, [], recordOf(wanted)).create?.metadata.name, restored.metadata.name);
  });

  test("that runs for more than an hour is reported, and continues", () => {
    const job = live();
    const since = (seconds: number) => {
      const startedAt = new Date(now.getTime() - seconds * 1000);
      const atWork = { ...running, state: { running: { startedAt } } };
      return migrationOf(wanted, [job, podOf(job, { containerStatuses: [atWork] })]);
    };
    const early = since(60);
    assert.deepEqual([early.cause.reason, early.againInSeconds], ["MigrationRunning", overdueSeconds - 60]);
    const late = since(overdueSeconds);
    assert.deepEqual([late.cause.reason, late.stalled, late.remove], ["MigrationOverdue", true, []]);
  });

  test("reports the result of the artifact store check before its own program has run", () => {
    const report = { reason: "ArtifactStoreReadOnly", message: "the bucket does not let these credentials write" };
    const job = live();
    const waiting = { ...base, restartCount: 0, state: { waiting: { reason: "PodInitializing" } } };
    const initContainerStatuses = [{ ...restarting(JSON.stringify(report)), name: "check-artifacts" }];
    const found = migrationOf(wanted, [job, podOf(job, { initContainerStatuses, containerStatuses: [waiting] })]);
    assert.deepEqual(found.cause, report);
  });

  test("reports its last failure during retries, until it has succeeded", () => {
    const report = { reason: "DatabaseUnreachable", message: "db:5432 does not answer" } as const;
    const job = live();
    const causeIn = (state: V1ContainerStatus["state"], ready: boolean) => {
      const { lastState } = restarting(JSON.stringify(report));
      const containerStatuses = [{ ...base, restartCount: 1, ready, ...(state && { state }), lastState }];
      return migrationOf(wanted, [job, podOf(job, { containerStatuses })]).cause.reason;
    };
    assert.equal(causeIn({ running: {} }, true), "DatabaseUnreachable");
    assert.equal(causeIn({ terminated: { exitCode: 0 } }, false), "MigrationRunning");
  });

  test("reports the message of its program, and no other output of a failing container", () => {
    const failing = (message: string) => {
      const job = live();
      return migrationOf(wanted, [job, podOf(job, { containerStatuses: [restarting(message)] })]);
    };
    const report = { reason: "DatabaseUnreachable", message: "db:5432 does not answer" };
    assert.deepEqual(failing(JSON.stringify(report)).cause, report);
    assert.equal(failing(JSON.stringify(report)).stalled, true);
    assert.equal(failing("could not connect to postgresql://u:secret@db").cause.reason, "CrashLooping");
    assert.doesNotMatch(failing("could not connect to postgresql://u:secret@db").cause.message, /secret/);
    assert.equal(failing('{"reason":"Ready","message":').cause.reason, "CrashLooping");
  });
});

const base = { name: "migrate", image: "i", imageID: "", ready: false };
const running = { ...base, restartCount: 0, state: { running: {} } };
const restarting = (message: string) => ({
  ...base,
  restartCount: 2,
  state: { waiting: { reason: "CrashLoopBackOff" } },
  lastState: { terminated: { exitCode: 1, message } },
});
