import { isDeepStrictEqual } from "node:util";
import type { MlflowBackup } from "../../api/backup.ts";
import type { MlflowBackupSchedule } from "../../api/backup-schedule.ts";
import type { CronTimes } from "../../api/cron.ts";
import { secondsOf } from "../../api/quantity.ts";
import type { MlflowServer } from "../../api/server.ts";
import { isFinished } from "./backup-state.ts";
import { retentionCondition } from "./retention-result.ts";

/** The number of failed MlflowBackups of a schedule that are kept. */
const keptFailures = 10;

/** Returns the MlflowBackups of a schedule, the newest first. */
export function backupsOf(schedule: MlflowBackupSchedule, backups: readonly MlflowBackup[]): MlflowBackup[] {
  return backups
    .filter(({ spec }) => spec.schedule?.name === schedule.metadata.name)
    .toSorted((one, other) => timeOf(other) - timeOf(one));
}

/** Returns the name of the MlflowBackup for a time of a schedule: the same for each attempt to create it. */
export function scheduledName({ metadata }: MlflowBackupSchedule, time: Date): string {
  return `${metadata.name}-${time.toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}`;
}

/** The time of the schedule in the name of a backup, otherwise that of its creation. */
function timeOf({ metadata: { name, creationTimestamp = "" } }: MlflowBackup): number {
  const [, year, month, day, hour, minute, second] = /-(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(name) ?? [];
  return Date.parse(year === undefined ? creationTimestamp : `${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Returns the last time of the schedule for which a backup was created; times in the future are those of a wrong clock. */
export function lastScheduled(
  { status }: MlflowBackupSchedule,
  backups: readonly MlflowBackup[],
  now: Date,
): Date | undefined {
  const times = [Date.parse(status?.lastScheduledTime ?? ""), ...backups.map(timeOf)];
  return latestOf(times.filter((time) => time <= now.getTime()));
}

function latestOf(times: readonly number[]): Date | undefined {
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

/**
 * Returns the time for which a backup must be created now: the last one that has passed since the last backup, and since schedule and
 * server exist. Undefined while a backup of the schedule is not finished.
 */
export function dueTime(
  schedule: MlflowBackupSchedule,
  {
    times,
    backups,
    server,
    now,
  }: { times: CronTimes; backups: readonly MlflowBackup[]; server: MlflowServer; now: Date },
): Date | undefined {
  if (schedule.spec.suspend === true || backups.some((backup) => !isFinished(backup))) return undefined;
  const due = times.latest(now);
  if (due === undefined || due.getTime() <= startOf(schedule, server)) return undefined;
  const last = lastScheduled(schedule, backups, now);
  if (last !== undefined && due <= last) return undefined;
  const { startingDeadline } = schedule.spec;
  const isMissed = startingDeadline !== undefined && now.getTime() - due.getTime() > secondsOf(startingDeadline) * 1000;
  return isMissed ? undefined : due;
}

/** The time from which a schedule counts. */
function startOf(schedule: MlflowBackupSchedule, server: MlflowServer): number {
  const times = [schedule, server].map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ""));
  return Math.max(...times.filter((time) => !Number.isNaN(time)));
}

/**
 * Returns the MlflowBackups to delete. A complete one only if the newest backup is complete and has deleted the files that its retention no
 * longer keeps: then those of the others of the same server at the same destination no longer exist.
 */
export function expiredBackups(backups: readonly MlflowBackup[]): MlflowBackup[] {
  const finished = backups.filter((each) => isFinished(each) && each.metadata.deletionTimestamp === undefined);
  const failed = finished.filter(({ status }) => status?.phase === "Failed");
  const expired = new Set(failed.slice(keptFailures));
  const [newest] = finished;
  const { keep, olderThan } = newest?.spec.schedule ?? {};
  if (newest?.status?.phase !== "Completed" || (keep === undefined && olderThan === undefined)) return [...expired];
  if (retentionCondition(newest)?.status !== "True") return [...expired];
  const complete = finished.filter(
    ({ spec, status }) =>
      status?.phase === "Completed" &&
      status.serverUID === newest.status?.serverUID &&
      isDeepStrictEqual(spec.destination, newest.spec.destination),
  );
  // As the program of the newest backup, which compares the same times in the names of folders.
  const oldestCounted = keep === undefined ? newest : complete[keep - 1];
  const isCounted = (backup: MlflowBackup) => oldestCounted === undefined || timeOf(backup) >= timeOf(oldestCounted);
  const isYoung = (backup: MlflowBackup) =>
    olderThan !== undefined && !(createdAt(newest) - createdAt(backup) > secondsOf(olderThan) * 1000);
  for (const backup of [...complete, ...failed])
    if (backup !== newest && !isCounted(backup) && !isYoung(backup)) expired.add(backup);
  return [...expired];
}

function createdAt({ metadata }: MlflowBackup): number {
  return Date.parse(metadata.creationTimestamp ?? "");
}
