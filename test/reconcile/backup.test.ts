import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowBackup, MlflowBackupStatus } from "../../src/api/backup.ts";
import type { Job, Pod } from "../../src/kube/manifests.ts";
import { type BackupState, backupStatus, isFinished, sizeText } from "../../src/reconcile/backup/backup-state.ts";
import { stateOfJob } from "../../src/reconcile/backup/observe-job.ts";
import { backupEvents } from "../../src/reconcile/lifecycle-events.ts";

const now = new Date("2026-01-31T18:10:00Z");
const created = "2026-01-31T18:00:00Z";

const job = (status: Job["status"] = {}): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "demo-backup-0123456789", namespace: "team-a", uid: "job", creationTimestamp: created },
  spec: { template: {} },
  status,
});

function pod(terminated?: object, more: Partial<Pod["status"] & object> = {}): Pod {
  const owner = { apiVersion: "batch/v1", kind: "Job", name: job().metadata.name, uid: "job", controller: true };
  const state = terminated === undefined ? { running: {} } : { terminated };
  const container = { name: "backup", image: "mlflow", imageID: "", ready: false, restartCount: 0, state };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "demo-backup-0123456789-abcde", namespace: "team-a", ownerReferences: [owner] },
    // The client library types times as Date; the cache has texts.
    status: { containerStatuses: [container as never], ...more },
  };
}

const backup = (status?: MlflowBackupStatus, more: Partial<MlflowBackup["spec"]> = {}): MlflowBackup => ({
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowBackup",
  metadata: { name: "nightly", namespace: "team-a", uid: "1", generation: 1, creationTimestamp: created },
  spec: { serverRef: { name: "demo" }, destination: { persistentVolumeClaim: { claimName: "backups" } }, ...more },
  ...(status && { status }),
});

const of = (pods: readonly Pod[], status?: Job["status"], backedUp = backup()) =>
  stateOfJob(backedUp, job(status), pods, now);
const summary = ({ phase, isStalled, cause }: BackupState) => [phase, isStalled, cause.reason];
const finishedAt = "2026-01-31T18:01:30Z";
const failure = (reason: string) => JSON.stringify({ reason, message: "What is wrong." });

describe("the state of a backup by its Job", () => {
  test("is running until the program ends", () => {
    assert.deepEqual(summary(of([])), ["Running", false, "BackupRunning"]);
    assert.match(of([]).cause.message, /no pod yet/);
    assert.match(of([pod()]).cause.message, /writes the backup/);
  });

  test("is completed with the result of the program, also with an injected container that runs", () => {
    const message = JSON.stringify({ location: "x", size: 3 << 20, mlflowVersion: "3.17.2", schemaRevision: "abc" });
    const state = of([pod({ exitCode: 0, message, finishedAt }, { phase: "Running" })]);
    assert.deepEqual(summary(state), ["Completed", false, "BackupCompleted"]);
    assert.deepEqual(state.result, { size: 3 << 20, mlflowVersion: "3.17.2", schemaRevision: "abc" });
  });

  test("is completed if the pod of a completed Job is gone", () => {
    const lastTransitionTime = finishedAt as never;
    const state = of([], { conditions: [{ type: "Complete", status: "True", lastTransitionTime }] });
    assert.deepEqual([...summary(state), state.ended], ["Completed", false, "BackupCompleted", finishedAt]);
  });

  test("has the reason of the program, and none of another text", () => {
    const ended = (message: string, more = {}) => of([pod({ exitCode: 1, message, finishedAt, ...more })]);
    assert.deepEqual(summary(ended(failure("BackupDestinationFull"))), ["Failed", true, "BackupDestinationFull"]);
    assert.deepEqual(summary(ended(failure("DatabaseUnreachable"))), ["Failed", true, "DatabaseUnreachable"]);
    assert.deepEqual(summary(ended("password=secret")), ["Failed", true, "BackupFailed"]);
    assert.doesNotMatch(ended("password=secret").cause.message, /secret/);
    assert.deepEqual(summary(ended("", { reason: "OOMKilled" })), ["Failed", true, "OutOfMemory"]);
  });

  test("is interrupted if the pod or the Job was deleted or killed", () => {
    const interrupted = ["Failed", true, "BackupInterrupted"];
    assert.deepEqual(summary(of([], { conditions: [{ type: "Failed", status: "True" }] })), interrupted);
    // The program ends with these codes after SIGTERM and SIGKILL.
    for (const exitCode of [143, 137]) {
      const stopped = of([pod({ exitCode, message: "", finishedAt })]);
      assert.deepEqual(summary(stopped), interrupted);
      assert.match(stopped.cause.message, /deleted, evicted or killed before/);
    }
  });

  test("has failed, and was not interrupted, at the deadline of the Job", () => {
    const timedOut = ["Failed", true, "BackupTimeout"];
    const conditions = (type: string) => [{ type, status: "True", reason: "DeadlineExceeded" }];
    assert.deepEqual(summary(of([], { conditions: conditions("Failed") })), timedOut);
    const ended = pod({ exitCode: 143, message: "", finishedAt });
    assert.deepEqual(summary(of([ended], { conditions: conditions("FailureTarget") })), timedOut);
    const later = pod({ exitCode: 143, message: "", finishedAt: "2026-02-01T18:00:01Z" });
    assert.deepEqual(summary(of([later])), timedOut);
  });

  test("needs a user if the pod cannot start, and is not final", () => {
    const waiting = { waiting: { reason: "ImagePullBackOff", message: "no such image" } };
    const container = { name: "backup", image: "mlflow", imageID: "", ready: false, restartCount: 0, state: waiting };
    const state = of([pod(undefined, { containerStatuses: [container] })]);
    assert.deepEqual(summary(state), ["Running", true, "ImagePullFailed"]);
  });

  test("of files that exist already names their verification", () => {
    const existing = backup(undefined, { existing: { path: "ml/tracking/nightly" } });
    const message = JSON.stringify({ size: 1, mlflowVersion: "3.17.2", schemaRevision: "abc" });
    assert.match(of([pod()], undefined, existing).cause.message, /verifies the files of the backup/);
    const done = of([pod({ exitCode: 0, message, finishedAt })], undefined, existing);
    assert.match(done.cause.message, /has verified the files/);
    assert.equal(backupStatus(existing, done, {}, now).status.location, "pvc://backups/ml/tracking/nightly");
    const failed = of([pod({ exitCode: 1, message: "", finishedAt })], undefined, existing);
    assert.match(failed.cause.message, /so the backup is not verified/);
  });

  test("ignores results that are not from the program", () => {
    for (const message of ["", "[]", "null", '{"size": "1"}', '{"size": 1, "mlflowVersion": "a b\\nc"}'])
      assert.notEqual(of([pod({ exitCode: 0, message, finishedAt })]).result?.mlflowVersion, "a b\nc");
  });
});

describe("the status of a backup", () => {
  const message = JSON.stringify({ size: 1_288_490_189, mlflowVersion: "3.17.2", schemaRevision: "abc" });
  const statusOf = (state: BackupState, before?: MlflowBackupStatus) => backupStatus(backup(before), state, {}, now);

  test("has the result, and is final", () => {
    const { status } = statusOf(of([pod({ exitCode: 0, message, finishedAt })]));
    const { conditions, observedGenerationTime, ...rest } = status;
    assert.deepEqual(rest, {
      observedGeneration: 1,
      phase: "Completed",
      job: "demo-backup-0123456789",
      startedAt: created,
      completedAt: finishedAt,
      duration: "1m30s",
      location: "pvc://backups/team-a/demo/nightly-20260131T180000Z-6b86b273ff",
      size: "1.2Gi",
      mlflowVersion: "3.17.2",
      schemaRevision: "abc",
    });
    assert.equal(observedGenerationTime, "2026-01-31T18:10:00Z");
    assert.deepEqual(
      conditions?.map(({ type, status: is }) => [type, is]),
      [
        ["Ready", "True"],
        ["Reconciling", "False"],
        ["Stalled", "False"],
      ],
    );
    assert.ok(isFinished(backup(status)));
  });

  test("of a missing object is Reconciling first, because the same release may create it, and then Stalled", () => {
    const cause = { reason: "SecretNotFound", message: "Secret s does not exist." } as const;
    const state: BackupState = { phase: "Pending", isStalled: true, cause };
    const { status, againInSeconds } = statusOf(state);
    const is = (of: MlflowBackupStatus, type: string) => of.conditions?.find((each) => each.type === type)?.status;
    assert.deepEqual([is(status, "Reconciling"), is(status, "Stalled"), againInSeconds], ["True", "False", 120]);
    const later = backupStatus(backup(status), state, {}, new Date("2026-01-31T18:13:00Z"));
    assert.deepEqual([is(later.status, "Reconciling"), is(later.status, "Stalled")], ["False", "True"]);
  });

  test("changes are recorded as Events once", () => {
    const running = statusOf(of([pod()])).status;
    const completed = statusOf(of([pod({ exitCode: 0, message, finishedAt })]), running).status;
    const failed = statusOf(of([pod({ exitCode: 1, message: failure("DatabaseFull"), finishedAt })]), running).status;
    const reasons = (before: MlflowBackupStatus | undefined, after: MlflowBackupStatus) =>
      backupEvents(before, after).map(({ type, reason }) => `${type} ${reason}`);
    assert.deepEqual(reasons(undefined, running), ["Normal BackupStarted"]);
    assert.deepEqual(reasons(running, running), []);
    assert.deepEqual(reasons(running, completed), ["Normal BackupCompleted"]);
    assert.deepEqual(reasons(running, failed), ["Warning DatabaseFull"]);
    assert.deepEqual(reasons(undefined, completed), ["Normal BackupStarted", "Normal BackupCompleted"]);
  });

  test("has a readable size", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 10 << 20, 5 * 2 ** 40].map(sizeText), [
      ...["0", "1023", "1Ki", "1.5Ki", "10Mi", "5Ti"],
    ]);
  });
});
