import { isDeepStrictEqual } from "node:util";
import type { NewBackup } from "../../api/backup.ts";
import type { MlflowBackupSchedule } from "../../api/backup-schedule.ts";
import { timesOf } from "../../api/cron.ts";
import { apiVersion } from "../../api/server.ts";
import { label, manager } from "../../kube/names.ts";
import type { Key } from "../../kube/object.ts";
import type { Installation } from "../../model/inputs.ts";
import type { Cause } from "../cause.ts";
import type { Cluster } from "../cluster.ts";
import { applyRejection } from "../failure-cause.ts";
import { scheduleEvents } from "../lifecycle-events.ts";
import { otherOperator } from "../other-operator.ts";
import { hiddenSeconds, specProblem } from "../spec-problem.ts";
import { serverVolume } from "./backup-prerequisites.ts";
import { backupsOf, dueTime, expiredBackups, lastScheduled, scheduledName } from "./schedule-plan.ts";
import { scheduleStatus } from "./schedule-status.ts";

/** Timers have a maximum of about 24 days. */
const longestSeconds = 24 * 3600;

/**
 * Reconciles the backup schedules of one server: creates the MlflowBackup that is due, deletes those that retention no longer keeps, and
 * reports each. Between two times of a schedule it reads and writes nothing. Returns the seconds until the next reconciliation. Throws
 * errors that must be retried.
 */
export async function reconcileSchedules(
  cluster: Cluster,
  key: Key,
  installation: Installation,
  now: Date,
): Promise<number | undefined> {
  const server = cluster.server(key);
  if (server !== undefined && otherOperator(cluster, server) !== undefined) return undefined;
  const waits: number[] = [];
  const failures: unknown[] = [];
  for (const schedule of cluster.backupSchedules(key)) {
    if (schedule.metadata.deletionTimestamp !== undefined) continue;
    const { wait, failure } = await reconcileSchedule(cluster, { schedule, key, installation, now });
    if (wait !== undefined) waits.push(wait);
    if (failure !== undefined) failures.push(failure);
  }
  if (failures.length > 0) throw failures[0];
  return waits.length === 0 ? undefined : Math.min(...waits);
}

interface ScheduleInput {
  readonly schedule: MlflowBackupSchedule;
  readonly key: Key;
  readonly installation: Installation;
  readonly now: Date;
}

async function reconcileSchedule(
  cluster: Cluster,
  { schedule, key, installation, now }: ScheduleInput,
): Promise<{ wait?: number | undefined; failure?: unknown }> {
  const { spec } = schedule;
  const schema = await specProblem(cluster, "MlflowBackupSchedule", schedule);
  if (schema?.isHidden === true) return { wait: hiddenSeconds };
  const server = cluster.server(key);
  const times = timesOf(spec);
  const backups = () => backupsOf(schedule, cluster.backups(key));
  let problem = schema?.cause ?? scheduleProblem(cluster, schedule, key);
  let created: Date | undefined;
  let failure: unknown;
  if (problem === undefined && server !== undefined && !("problem" in times)) {
    try {
      const due = dueTime(schedule, { times, backups: backups(), server, now });
      if (due !== undefined) await cluster.createBackup(scheduledBackup(schedule, due));
      created = due;
      for (const expired of expiredBackups(backups())) await cluster.deleteBackup(expired);
    } catch (error) {
      problem = applyRejection(error);
      if (problem === undefined) throw error;
      failure = error;
    }
  }
  const isActive = schema === undefined && !("problem" in times) && spec.suspend !== true;
  const next = isActive ? times.next(now) : undefined;
  const last = created ?? lastScheduled(schedule, backups(), now);
  const state = { backups: backups(), problem, lastScheduled: last, next };
  const { status, againInSeconds } = scheduleStatus(schedule, state, installation, now);
  if (!isDeepStrictEqual(status, schedule.status)) {
    await cluster.reportBackupSchedule(schedule, status);
    for (const event of scheduleEvents(schedule.status, status)) await cluster.recordEvent(schedule, event);
  }
  const seconds = next === undefined ? [] : [Math.max(0.1, (next.getTime() - now.getTime()) / 1000)];
  const all = [...seconds, ...(againInSeconds === undefined ? [] : [againInSeconds])];
  return { wait: all.length === 0 ? undefined : Math.min(longestSeconds, ...all), failure };
}

/** Why no backups can be created, apart from a field that the API server would reject. */
function scheduleProblem(
  cluster: Pick<Cluster, "server" | "serversIn" | "owned">,
  schedule: MlflowBackupSchedule,
  key: Key,
): Cause | undefined {
  const times = timesOf(schedule.spec);
  if ("problem" in times) {
    const { field, text } = times.problem;
    return { reason: "InvalidSchedule", message: `spec.${field} ${text}. Until then no backups are created.` };
  }
  const server = cluster.server(key);
  if (server === undefined || server.metadata.deletionTimestamp !== undefined) {
    const message = `spec.serverRef names MlflowServer/${key.name}, which does not exist in namespace ${key.namespace}, so no backups are created. Create it, or create a schedule with another name in serverRef.`;
    return { reason: "ServerNotFound", message };
  }
  return serverVolume(cluster, schedule, "no backups are created");
}

function scheduledBackup(schedule: MlflowBackupSchedule, time: Date): NewBackup {
  const { metadata, spec } = schedule;
  const { name, namespace } = metadata;
  return {
    apiVersion,
    kind: "MlflowBackup",
    metadata: {
      name: scheduledName(schedule, time),
      namespace,
      labels: { [label.managedBy]: manager, [label.backupSchedule]: name },
    },
    spec: {
      serverRef: spec.serverRef,
      destination: spec.destination,
      schedule: { name, ...spec.retention },
    },
  };
}
