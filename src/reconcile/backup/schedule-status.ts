import type { MlflowBackup } from "../../api/backup.ts";
import type { MlflowBackupSchedule, MlflowBackupScheduleStatus } from "../../api/backup-schedule.ts";
import type { Reason } from "../../api/reasons.ts";
import { conditionsOf, type NewCondition, notReconciling, notStalled, timestamp } from "../../kube/conditions.ts";
import { objectText } from "../../kube/object.ts";
import type { Installation } from "../../model/inputs.ts";
import type { Cause } from "../cause.ts";
import { graceLeft, observedSince } from "../grace-period.ts";
import { isFinished } from "./backup-state.ts";
import { retentionCondition } from "./retention-result.ts";

/** What a reconciliation knows of a schedule. */
export interface ScheduleState {
  /** The newest first. */
  readonly backups: readonly MlflowBackup[];
  /** Why no backups can be created. */
  readonly problem?: Cause | undefined;
  readonly lastScheduled?: Date | undefined;
  readonly next?: Date | undefined;
}

/** Returns the status of a schedule, and the seconds until a missing server is reported as a problem. */
export function scheduleStatus(
  schedule: MlflowBackupSchedule,
  state: ScheduleState,
  installation: Pick<Installation, "gracePeriodSeconds">,
  now: Date,
): { readonly status: MlflowBackupScheduleStatus; readonly againInSeconds?: number } {
  const { generation = 0 } = schedule.metadata;
  const before = schedule.status ?? {};
  const problem = state.problem ?? problemOf(state.backups);
  const left = problem === undefined ? 0 : graceLeft(schedule, [problem.reason], installation, now);
  const { reason, message } = problem ?? healthy(schedule);
  const updates: NewCondition[] = [
    { type: "Ready", status: problem === undefined ? "True" : "False", reason, message },
    left > 0 ? { type: "Reconciling", status: "True", reason, message } : notReconciling,
    problem !== undefined && left === 0 ? { type: "Stalled", status: "True", reason, message } : notStalled,
  ];
  const [newest] = state.backups;
  const lastBackup = newest?.metadata.name ?? before.lastBackup;
  const { lastScheduled, next } = state;
  const status: MlflowBackupScheduleStatus = {
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(schedule, now)),
    conditions: conditionsOf(updates, before.conditions ?? [], generation, now),
    ...(lastScheduled !== undefined && { lastScheduledTime: timestamp(lastScheduled) }),
    ...(lastBackup !== undefined && { lastBackup }),
    ...lastSuccess(state.backups, before),
    failedBackups: failuresIn(state.backups),
    ...complete(state.backups),
    ...(next !== undefined && { nextScheduledTime: timestamp(next) }),
  };
  return { status, ...(left > 0 && { againInSeconds: left }) };
}

function healthy({ spec: { serverRef, suspend } }: MlflowBackupSchedule): { reason: Reason; message: string } {
  if (suspend === true) return { reason: "Suspended", message: "spec.suspend is true, so no backups are created." };
  return { reason: "Scheduled", message: `MlflowServer/${serverRef.name} is backed up at the times of the schedule.` };
}

/** The problem of the backup that is waiting or, without one, of the last that has ended. */
function problemOf(backups: readonly MlflowBackup[]): Cause | undefined {
  const stalled = backups.find((backup) => !isFinished(backup) && conditionIn(backup, "Stalled")?.status === "True");
  if (stalled !== undefined) return causeOf("BackupStalled", stalled, "Until it ends, no other backup is created.");
  const last = backups.find(isFinished);
  if (last === undefined) return undefined;
  if (last.status?.phase === "Failed") return causeOf("LastBackupFailed", last, "There is no backup of that time.");
  const retention = retentionCondition(last);
  if (retention?.status !== "False") return undefined;
  const message = `${objectText(last)} is complete, and the files of older backups were not deleted: ${retention.message}`;
  return { reason: "RetentionFailed", message };
}

function causeOf(reason: Reason, backup: MlflowBackup, effect: string): Cause {
  const { reason: why = "Unknown", message = "" } = conditionIn(backup, "Ready") ?? {};
  const verb = reason === "BackupStalled" ? "cannot run" : "failed";
  return { reason, message: `${objectText(backup)} ${verb} (${why}). ${effect} ${message}` };
}

function conditionIn({ status }: MlflowBackup, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

function complete(backups: readonly MlflowBackup[]): MlflowBackupScheduleStatus {
  const found = backups.filter(({ status }) => status?.phase === "Completed");
  const oldest = found.at(-1)?.status?.completedAt;
  return { completeBackups: found.length, ...(oldest !== undefined && { oldestBackupTime: oldest }) };
}

/** Kept when the MlflowBackup is deleted. */
function lastSuccess(backups: readonly MlflowBackup[], before: MlflowBackupScheduleStatus): MlflowBackupScheduleStatus {
  const last = backups.find(({ status }) => status?.phase === "Completed");
  const time = last?.status?.completedAt;
  const { lastSuccessfulTime, lastSuccessfulBackup } = before;
  if (last !== undefined && time !== undefined && !(Date.parse(lastSuccessfulTime ?? "") > Date.parse(time)))
    return { lastSuccessfulTime: time, lastSuccessfulBackup: last.metadata.name };
  return {
    ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
    ...(lastSuccessfulBackup !== undefined && { lastSuccessfulBackup }),
  };
}

function failuresIn(backups: readonly MlflowBackup[]): number {
  const finished = backups.filter(isFinished);
  const completed = finished.findIndex(({ status }) => status?.phase === "Completed");
  return completed === -1 ? finished.length : completed;
}
