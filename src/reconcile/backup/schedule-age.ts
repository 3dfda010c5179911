import type { MlflowBackupSchedule } from "../../api/backup-schedule.ts";
import { timesOf } from "../../api/cron.ts";

/** How old the last complete backup of a schedule is, for the metrics. Times are seconds since 1970, 0 for none. */
export interface ScheduleAge {
  readonly namespace: string;
  readonly server: string;
  readonly schedule: string;
  readonly lastSuccess: number;
  /** The last time of the schedule that has passed; undefined while it is suspended or invalid. */
  readonly due: number | undefined;
  readonly failures: number;
}

/** Returns the age of the backups of a schedule. */
export function scheduleAge({ metadata, spec, status }: MlflowBackupSchedule, now: Date): ScheduleAge {
  return {
    namespace: metadata.namespace,
    server: spec.serverRef.name,
    schedule: metadata.name,
    lastSuccess: (Date.parse(status?.lastSuccessfulTime ?? "") || 0) / 1000,
    due: spec.suspend === true ? undefined : dueOf({ metadata, spec }, now),
    failures: status?.failedBackups ?? 0,
  };
}

function dueOf({ metadata, spec }: Pick<MlflowBackupSchedule, "metadata" | "spec">, now: Date): number | undefined {
  const times = timesOf(spec);
  if ("problem" in times) return undefined;
  const latest = times.latest(now)?.getTime() ?? 0;
  return latest > Date.parse(metadata.creationTimestamp ?? "") ? latest / 1000 : 0;
}
