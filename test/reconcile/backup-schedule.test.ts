import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowBackup, MlflowBackupStatus } from "../../src/api/backup.ts";
import type { MlflowBackupSchedule } from "../../src/api/backup-schedule.ts";
import { cronTimes } from "../../src/api/cron.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import { appliedRetention, type RetentionResult } from "../../src/reconcile/backup/retention-result.ts";
import {
  backupsOf,
  dueTime,
  expiredBackups,
  lastScheduled,
  scheduledName,
} from "../../src/reconcile/backup/schedule-plan.ts";
import { scheduleStatus } from "../../src/reconcile/backup/schedule-status.ts";
import { server as serverOf } from "../support/fixtures.ts";

const now = new Date("2026-01-31T18:10:00Z");
const destination = { persistentVolumeClaim: { claimName: "backups" } };
const at = (time: string) => new Date(`2026-01-${time}:00Z`);

const server = serverOf({}, { metadata: { name: "demo", namespace: "ml", creationTimestamp: "2026-01-01T00:00:00Z" } });

function schedule(
  spec: Partial<MlflowBackupSchedule["spec"]> = {},
  status?: MlflowBackupSchedule["status"],
): MlflowBackupSchedule {
  return {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowBackupSchedule",
    metadata: { name: "nightly", namespace: "ml", generation: 1, creationTimestamp: "2026-01-10T12:00:00Z" },
    spec: { serverRef: { name: "demo" }, schedule: "0 2 * * *", destination, ...spec },
    ...(status && { status }),
  };
}

const deletedOne: RetentionResult = { deleted: 1 };

/** A backup of day `day` of January, complete by default. */
function backup(
  day: number,
  { phase = "Completed", keep, olderThan, retention, ...more }: Partial<BackupOptions> = {},
): MlflowBackup {
  const date = `2026-01-${String(day).padStart(2, "0")}`;
  const retained: Condition[] =
    retention === undefined ? [] : [{ ...appliedRetention(retention), observedGeneration: 1, lastTransitionTime: "" }];
  const ready: Condition = {
    ...{ type: "Ready", status: "False", reason: "DatabaseFull", message: "No space.", observedGeneration: 1 },
    lastTransitionTime: "",
  };
  return {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowBackup",
    metadata: {
      name: `nightly-${date.replaceAll("-", "")}020000`,
      namespace: "ml",
      creationTimestamp: `${date}T02:00:0${day % 2}Z`,
    },
    spec: {
      serverRef: { name: "demo" },
      destination: more.destination ?? destination,
      schedule: {
        name: more.of ?? "nightly",
        ...(keep !== undefined && { keep }),
        ...(olderThan !== undefined && { olderThan }),
      },
    },
    status: {
      phase,
      serverUID: more.uid ?? "1",
      ...(phase === "Completed" && { completedAt: `${date}T02:05:00Z` }),
      conditions: [ready, ...retained],
    },
  };
}

interface BackupOptions extends Pick<MlflowBackup["spec"], "destination"> {
  readonly phase: NonNullable<MlflowBackupStatus["phase"]>;
  readonly keep: number;
  readonly olderThan: string;
  readonly retention: RetentionResult;
  readonly uid: string;
  readonly of: string;
}

describe("the time of the next backup", () => {
  const due = (of: MlflowBackupSchedule, backups: readonly MlflowBackup[] = [], time = now) => {
    const times = cronTimes(of.spec.schedule, of.spec.timeZone);
    assert.ok(!("problem" in times));
    return dueTime(of, { times, backups: backupsOf(of, backups), server, now: time })?.toISOString();
  };

  test("is the last one that has passed since the last backup", () => {
    assert.equal(due(schedule()), "2026-01-31T02:00:00.000Z");
    assert.equal(due(schedule(), [backup(30)]), "2026-01-31T02:00:00.000Z");
    assert.equal(due(schedule(), [backup(31)]), undefined);
    assert.equal(due(schedule({}, { lastScheduledTime: "2026-01-31T02:00:00Z" })), undefined);
    // It belongs to another schedule.
    assert.equal(due(schedule(), [backup(31, { of: "weekly" })]), "2026-01-31T02:00:00.000Z");
  });

  test("is not before the schedule or the server exists", () => {
    const created = (time: string) => ({
      ...schedule(),
      metadata: { ...schedule().metadata, creationTimestamp: time },
    });
    assert.equal(due(created("2026-01-31T03:00:00Z")), undefined);
    assert.equal(due(created("2026-01-31T01:59:59Z")), "2026-01-31T02:00:00.000Z");
    assert.equal(due(schedule({ schedule: "0 0 1 1 *" })), undefined);
  });

  test("waits until the backup before it has ended", () => {
    for (const phase of ["Pending", "Running"] as const)
      assert.equal(due(schedule(), [backup(30, { phase })]), undefined);
    assert.equal(due(schedule(), [backup(30, { phase: "Failed" })]), "2026-01-31T02:00:00.000Z");
  });

  test("does not exist while the schedule is suspended, and is skipped after the deadline", () => {
    assert.equal(due(schedule({ suspend: true })), undefined);
    assert.equal(due(schedule({ startingDeadline: "16h" })), undefined);
    assert.equal(due(schedule({ startingDeadline: "17h" })), "2026-01-31T02:00:00.000Z");
  });

  test("does not depend on a time in the future, from a clock that was wrong", () => {
    const wrong = schedule({}, { lastScheduledTime: "2027-01-31T02:00:00Z" });
    assert.equal(due(wrong), "2026-01-31T02:00:00.000Z");
    assert.equal(lastScheduled(wrong, [backup(30)], now)?.toISOString(), "2026-01-30T02:00:00.000Z");
  });

  test("is part of the name of the backup", () => {
    assert.equal(scheduledName(schedule(), at("31T02:00")), "nightly-20260131020000");
  });
});

describe("the MlflowBackups that retention deletes", () => {
  const names = (backups: readonly MlflowBackup[]) =>
    expiredBackups(backupsOf(schedule(), backups))
      .map(({ metadata }) => metadata.name.slice(-8, -6))
      .sort();
  const newest = backup(20, { keep: 2, retention: deletedOne });

  test("are the complete and failed ones before those that are kept", () => {
    const others = [backup(19, { phase: "Failed" }), backup(18), backup(17), backup(16, { phase: "Failed" })];
    assert.deepEqual(names([newest, ...others]), ["16", "17"]);
    assert.deepEqual(names([newest]), []);
  });

  test("are older than the age, never the newest one, and with a number those that neither keeps", () => {
    const retaining = (day: number, options: Partial<BackupOptions>) =>
      backup(day, { ...options, retention: deletedOne });
    const others = [backup(19), backup(18), backup(17, { phase: "Failed" }), backup(16), backup(15)];
    assert.deepEqual(names([retaining(20, { olderThan: "48h" }), ...others]), ["15", "16", "17"]);
    // Of an odd day: it was created a second later, so the other is not older than the age to the second.
    assert.deepEqual(names([retaining(21, { olderThan: "48h" }), backup(19), backup(18)]), ["18"]);
    assert.deepEqual(names([retaining(20, { olderThan: "1s" }), ...others]), ["15", "16", "17", "18", "19"]);
    assert.deepEqual(names([retaining(20, { olderThan: "1s" })]), []);
    assert.deepEqual(names([retaining(20, { olderThan: "999999h" }), ...others]), []);
    assert.deepEqual(names([retaining(20, { keep: 2, olderThan: "72h" }), ...others]), ["15", "16"]);
    assert.deepEqual(names([retaining(20, { keep: 4, olderThan: "24h" }), ...others]), ["15"]);
    const untimed = backup(3);
    delete untimed.metadata.creationTimestamp;
    assert.deepEqual(names([retaining(20, { olderThan: "1s" }), untimed]), [], "an unknown age is not old");
  });

  test("are none while the newest failed, or has not deleted files", () => {
    const older = [backup(18), backup(17), backup(16)];
    assert.deepEqual(names([backup(20, { phase: "Failed", keep: 2 }), newest, ...older].slice(0, 1)), []);
    assert.deepEqual(names([backup(21, { phase: "Failed", keep: 2 }), newest, ...older]), []);
    assert.deepEqual(names([backup(20), ...older]), []);
    assert.deepEqual(names([backup(20, { keep: 2 }), ...older]), []);
    const rejected = { reason: "RetentionFailed", message: "denied" } as const;
    assert.deepEqual(names([backup(20, { keep: 2, retention: rejected }), ...older]), []);
  });

  test("are not those of another destination, server or schedule", () => {
    const elsewhere = { persistentVolumeClaim: { claimName: "before" } };
    const others = [
      backup(19),
      backup(18, { destination: elsewhere }),
      backup(17, { uid: "0" }),
      backup(16, { of: "weekly" }),
    ];
    assert.deepEqual(names([newest, ...others]), []);
    assert.deepEqual(names([newest, ...others, backup(15)]), ["15"]);
  });

  test("are failed ones beyond the tenth, although none is complete", () => {
    const failed = Array.from({ length: 12 }, (_, index) => backup(index + 1, { phase: "Failed" }));
    assert.deepEqual(names(failed), ["01", "02"]);
  });
});

describe("the status of a schedule", () => {
  const status = (
    backups: readonly MlflowBackup[],
    of = schedule(),
    problem?: Parameters<typeof scheduleStatus>[1]["problem"],
  ) => scheduleStatus(of, { backups: backupsOf(of, backups), problem, next: at("31T20:00") }, {}, now).status;
  const held = (of: MlflowBackupSchedule["status"]) =>
    (of?.conditions ?? []).filter((each) => each.status === "True").map(({ type, reason }) => `${type} ${reason}`);

  test("has the last complete backup, also after its MlflowBackup was deleted", () => {
    const first = status([backup(30, { phase: "Failed" }), backup(29), backup(28)]);
    assert.deepEqual(
      [first.lastBackup, first.lastSuccessfulBackup, first.lastSuccessfulTime, first.failedBackups],
      ["nightly-20260130020000", "nightly-20260129020000", "2026-01-29T02:05:00Z", 1],
    );
    assert.deepEqual([first.completeBackups, first.oldestBackupTime], [2, "2026-01-28T02:05:00Z"]);
    const later = status([], schedule({}, first));
    assert.deepEqual([later.completeBackups, later.oldestBackupTime], [0, undefined]);
    assert.deepEqual([later.lastSuccessfulTime, later.failedBackups], ["2026-01-29T02:05:00Z", 0]);
    assert.equal(status([backup(28)], schedule({}, first)).lastSuccessfulTime, "2026-01-29T02:05:00Z");
  });

  test("is Ready while backups succeed, and while it is suspended", () => {
    assert.deepEqual(held(status([])), ["Ready Scheduled"]);
    assert.deepEqual(held(status([backup(31, { phase: "Running" }), backup(30)])), ["Ready Scheduled"]);
    assert.deepEqual(held(status([], schedule({ suspend: true }))), ["Ready Suspended"]);
  });

  test("is Stalled after a failure until the next complete backup", () => {
    const failed = [backup(30, { phase: "Failed" }), backup(29)];
    assert.deepEqual(held(status(failed)), ["Stalled LastBackupFailed"]);
    assert.deepEqual(held(status([backup(31, { phase: "Running" }), ...failed])), ["Stalled LastBackupFailed"]);
    assert.deepEqual(held(status([backup(31), ...failed])), ["Ready Scheduled"]);
    const retention = { reason: "RetentionFailed", message: "denied" } as const;
    assert.deepEqual(held(status([backup(31, { keep: 2, retention })])), ["Stalled RetentionFailed"]);
    assert.match(
      status(failed).conditions?.[0]?.message ?? "",
      /^MlflowBackup\/nightly-20260130020000 failed \(DatabaseFull\)/,
    );
  });

  test("waits for a server of the same release", () => {
    const problem = { reason: "ServerNotFound", message: "It does not exist." } as const;
    const { status: early, againInSeconds } = scheduleStatus(schedule(), { backups: [], problem }, {}, now);
    assert.deepEqual([held(early), againInSeconds], [["Reconciling ServerNotFound"], 120]);
    const later = new Date("2026-01-31T18:13:00Z");
    assert.deepEqual(held(scheduleStatus(schedule({}, early), { backups: [], problem }, {}, later).status), [
      "Stalled ServerNotFound",
    ]);
  });
});
