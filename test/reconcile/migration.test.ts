import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1ContainerStatus } from "@kubernetes/client-node";
import type { Job, Pod } from "../../src/kube/manifests.ts";
import { migrationOf } from "../../src/reconcile/migration.ts";
import { deploymentOf, inputs, jobOf, pod, server } from "../support/fixtures.ts";

const wanted = jobOf(inputs());
const live = (change: Partial<Job> = {}): Job => ({
  ...wanted,
  metadata: { ...wanted.metadata, uid: "job" },
  ...change,
});
const finished = (type: string): Partial<Job> => ({ status: { conditions: [{ type, status: "True" }] } });
const earlier = (change: Partial<Job> = {}): Job => {
  const job = jobOf(inputs(server({ version: "3.16.1" })));
  return { ...job, metadata: { ...job.metadata, uid: "earlier" }, ...change };
};
const podOf = (job: Job, status: Pod["status"]) =>
  pod("migration", status, {
    ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "x", uid: job.metadata.uid ?? "" }],
  });

describe("the migration", () => {
  test("starts where there is no Job", () => {
    const found = migrationOf(wanted, []);
    assert.equal(found.complete, false);
    assert.equal(found.create, wanted);
  });

  test("is complete by a completed Job of the wanted name, and by nothing else", () => {
    assert.equal(migrationOf(wanted, [live(finished("Complete"))]).complete, true);
    assert.equal(migrationOf(wanted, [live()]).complete, false);
    assert.equal(migrationOf(wanted, [earlier(finished("Complete"))]).complete, false);
    assert.equal(migrationOf(wanted, [live(finished("Failed"))]).complete, false);
  });

  test("keeps the proof of the version that runs until the new one is there, then removes it", () => {
    const former = earlier(finished("Complete"));
    assert.deepEqual(migrationOf(wanted, [former]).remove, []);
    assert.deepEqual(migrationOf(wanted, [former, live(finished("Complete"))]).remove, [former]);
  });

  test("never runs beside another: it waits for one that works", () => {
    const other = earlier();
    const found = migrationOf(wanted, [other, podOf(other, { containerStatuses: [running] })]);
    assert.equal(found.create, undefined);
    assert.deepEqual(found.remove, []);
  });

  test("never runs beside another: it removes one that is stuck, and starts when that is gone", () => {
    const other = earlier();
    const stuck = migrationOf(wanted, [other]);
    assert.equal(stuck.create, undefined);
    assert.deepEqual(stuck.remove, [other]);
    const leaving = earlier({ metadata: { ...other.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    const waiting = migrationOf(wanted, [leaving]);
    assert.equal(waiting.create, undefined);
    assert.deepEqual(waiting.remove, []);
  });

  test("begins anew when a Secret that it failed with has changed, but not once it is complete", () => {
    const before = { ...wanted.metadata, uid: "job", annotations: { "mlflow-operator.dev/inputs": "former" } };
    assert.equal(migrationOf(wanted, [live({ metadata: before })]).remove.length, 1);
    assert.equal(migrationOf(wanted, [live({ metadata: before, ...finished("Complete") })]).complete, true);
  });

  test("is proved by a Deployment that was written after it: a deleted Job comes back and holds up nothing", () => {
    const found = migrationOf(wanted, [deploymentOf(inputs())]);
    assert.equal(found.complete, true);
    assert.equal(found.create, wanted);
    assert.equal(migrationOf(wanted, [deploymentOf(inputs(server({ version: "3.16.1" })))]).complete, false);
  });

  test("says what the check of the artifact store reported, before its own program has run", () => {
    const report = { reason: "ArtifactStoreReadOnly", message: "the bucket does not let these credentials write" };
    const job = live();
    const waiting = { ...base, restartCount: 0, state: { waiting: { reason: "PodInitializing" } } };
    const initContainerStatuses = [{ ...restarting(JSON.stringify(report)), name: "check-artifacts" }];
    const found = migrationOf(wanted, [job, podOf(job, { initContainerStatuses, containerStatuses: [waiting] })]);
    assert.deepEqual(found.cause, report);
  });

  test("goes on saying why it failed while it is tried again, until it has succeeded", () => {
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

  test("says what its program reported, and shows no other words of a failing container", () => {
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
