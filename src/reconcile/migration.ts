import type { MigrationRecord } from "../api/status.ts";
import { isDowngrade } from "../api/versions.ts";
import type { Job, Owned, Pod } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import { podFailure } from "./pod-failure.ts";
import { isRestoreJob } from "./restored-counts.ts";

/** The state of the databases, and which Jobs must be created and deleted. */
export interface Migration {
  /** Whether pods of this spec may start. */
  readonly complete: boolean;
  readonly create?: Job;
  readonly remove: readonly Job[];
  readonly cause: Cause;
  /** Whether it needs a change by a user. */
  readonly stalled: boolean;
  /** The value of `status.migration` after this reconciliation. */
  readonly record: MigrationRecord | undefined;
  /** The record must be in the status before anything else is written. */
  readonly isRecordedFirst?: true;
  /** The version is older than the schema: nothing is applied. */
  readonly isRejected?: true;
  /** Objects have just been written; the next reconciliation reports more. */
  readonly isInterim?: true;
  /** Seconds until the next reconciliation, if no watch event triggers it. */
  readonly againInSeconds?: number;
}

/** The input of a decision about the migration. */
export interface ObservedMigration {
  /** Objects of the server; only its Jobs and their pods matter. */
  readonly owned: readonly Owned[];
  /** `status.migration`; undefined is always safe: the Job runs again. */
  readonly record: MigrationRecord | undefined;
  readonly now: Date;
}

/** Seconds in which a deleted Job is not created again under the same name. */
const recreationSeconds = 10;

/** Seconds after which a running migration is reported. It is never stopped. */
export const overdueSeconds = 3600;

/**
 * Decides about the migration, by these rules:
 * - The schema is current if the last Job whose program may have run is the desired one and has completed. `status.migration`
 *   records that, so the Job itself may be deleted. An earlier completed Job does not count, because another one has run since.
 * - The record of a completed Job is replaced before another Job is created. Without a record the Job runs again, which
 *   changes nothing if the schema is current.
 * - A Job with a running container is never deleted. Every other Job waits until it exits.
 * - A Job is created only when no other is unfinished and no pod of one is left.
 */
export function migrationOf(wanted: Job | undefined, { owned, record, now }: ObservedMigration): Migration {
  const jobs = owned.filter(isMigrationJob);
  const allPods = owned.filter(isMigrationPod);
  const pods = allPods.filter(isUnfinished);
  const known = latestRecord(record, jobs, allPods);
  const isLast = (job: Job) => job.metadata.name === known?.job && attemptOf(job) === known.attempt;
  const named = wanted && jobs.find((job) => job.metadata.name === wanted.metadata.name);
  const current = named && isLast(named) ? named : undefined;
  const report = { record: known, ...(mayBeDeleted(known, record, jobs) && { isRecordedFirst: true as const }) };

  const waitingFor =
    runningMigration(pods, jobs, current, now) ??
    unfinished(jobs.filter((job) => job !== current)) ??
    orphanedPod(pods, jobs);
  if (waitingFor !== undefined) return { ...report, ...waitingFor, record: withoutRemoved(known, waitingFor, allPods) };
  if (wanted === undefined) {
    const message = "The operator neither migrates nor checks the database, because migration is Manual.";
    return { ...finished("MigrationDisabled", message), remove: notTerminating(jobs), record: undefined };
  }
  const former = notTerminating(jobs.filter((job) => job !== named || current === undefined));
  if (known?.phase === "Complete" && known.job === wanted.metadata.name) {
    const message = `The database has the schema of MLflow ${known.version}.`;
    return { ...report, ...finished("MigrationComplete", message), remove: former };
  }
  if (known?.phase === "Complete" && isRejected(known, wanted)) return { ...report, ...rejected(known, wanted) };
  if (current !== undefined) return { ...report, ...ofCurrent(current, wanted, podsOf(current, pods)) };
  if (named !== undefined) {
    const message = `Waiting until the previous ${objectText(named)} is deleted.`;
    return { ...report, ...pending(message), remove: notTerminating([named]) };
  }
  const isAgain = known?.phase === "Started" && known.job === wanted.metadata.name;
  const { startTime } = known ?? {};
  // Without the time the Job has not been created: an object of another client has its name, or the API server rejects it.
  const waits =
    isAgain && startTime !== undefined ? recreationSeconds - (now.getTime() - Date.parse(startTime)) / 1000 : 0;
  if (waits > 0 && waits <= recreationSeconds) {
    const message = `Job/${wanted.metadata.name} was deleted before it completed. It is created again within ${recreationSeconds} s.`;
    return { ...report, ...pending(message), againInSeconds: waits };
  }
  // If the new Job were deleted before it is observed, a previous record would wrongly cover its changes.
  const hasCompleted = record?.phase === "Complete" || record?.previous !== undefined || jobs.some(isComplete);
  const isReplaced = isAgain && record?.attempt === known.attempt && record.previous === undefined;
  return { ...creation(wanted, known, now), ...(hasCompleted && !isReplaced && { isRecordedFirst: true }) };
}

/** Returns the record to write before other objects. Without a time if the Job has not been created yet. */
export function recordedFirst({ record, isRecordedFirst, create }: Migration): MigrationRecord | undefined {
  if (!isRecordedFirst || record === undefined) return undefined;
  const { startTime: _, ...uncreated } = record;
  return create === undefined ? record : uncreated;
}

/**
 * Returns the migration for a reconciliation that could not create the Job. `status.migration` is unchanged: with the time of a
 * failed creation, the next reconciliation would report that the Job was deleted.
 */
export function withoutCreation(migration: Migration, record: MigrationRecord | undefined, cause: Cause): Migration {
  const { create: _, ...rest } = migration;
  return { ...rest, record, cause };
}

/** The identity of the databases that a Job is for; not of the user who connects. */
function databaseOf(job: Job): string {
  return job.metadata.annotations?.[annotation.database] ?? "";
}

function versionOf(job: Job): string {
  return job.metadata.labels?.[label.version] ?? "";
}

/** The time of the decision to create the Job, which distinguishes Jobs of the same name. Later attempts are greater. */
function attemptOf(job: Job): string {
  return job.metadata.annotations?.[annotation.attempt] ?? "";
}

/**
 * The record, updated if a later Job exists or the recorded one has completed. If a Job is deleted before its program
 * has run, the completed migration before it stays current.
 */
function latestRecord(
  record: MigrationRecord | undefined,
  jobs: readonly Job[],
  pods: readonly Pod[],
): MigrationRecord | undefined {
  const isTerminating = (job: Job) => job.metadata.deletionTimestamp !== undefined;
  const last = jobs
    .filter((job) => !isTerminating(job) || hasRun(job, pods))
    .reduce<Job | undefined>(
      (found, job) => (attemptOf(job) > (found === undefined ? "" : attemptOf(found)) ? job : found),
      undefined,
    );
  const isLater = last !== undefined && attemptOf(last) > (record?.attempt ?? "");
  const known = isLater ? recordOf(last, attemptOf(last)) : record;
  if (known === undefined || known.phase === "Complete") return known;
  const job = jobs.find(({ metadata }) => metadata.name === known.job);
  if (job === undefined || attemptOf(job) !== known.attempt) return known;
  const { previous: _, ...rest } = known;
  if (isComplete(job)) return { ...rest, phase: "Complete" };
  if (isTerminating(job)) return withoutUnstarted(known, job, pods);
  // The operator was stopped after it created the Job and before it recorded the time.
  const { creationTimestamp } = job.metadata;
  return known.startTime === undefined && creationTimestamp ? { ...known, startTime: creationTimestamp } : known;
}

/** The record after the deletion of these Jobs. */
function withoutRemoved(known: MigrationRecord | undefined, { remove }: Decision, pods: readonly Pod[]) {
  const job = remove.find(({ metadata }) => metadata.name === known?.job);
  return known === undefined || job === undefined || attemptOf(job) !== known.attempt
    ? known
    : withoutUnstarted(known, job, pods);
}

/** The completed migration before a terminating Job, if the Job's pods exist and show that its program has not run. */
function withoutUnstarted(known: MigrationRecord, job: Job, pods: readonly Pod[]): MigrationRecord {
  const { previous, startTime } = known;
  if (previous === undefined || hasRun(job, pods) || podsOf(job, pods).length === 0) return known;
  return { ...previous, phase: "Complete", ...(startTime !== undefined && { startTime }) };
}

/** Whether the program of a Job may have run, by its status and pods. */
function hasRun(job: Job, pods: readonly Pod[]): boolean {
  const { status = {} } = job;
  if (isComplete(job) || hasCondition(job, "Failed")) return true;
  if ((status.succeeded ?? 0) > 0 || (status.failed ?? 0) > 0) return true;
  return podsOf(job, pods).some((pod) => {
    const { phase } = pod.status ?? {};
    const { state, lastState, restartCount = 0 } = migrateContainer(pod) ?? {};
    const isStarted = state?.running !== undefined || state?.terminated !== undefined || restartCount > 0;
    return isStarted || lastState?.terminated !== undefined || phase === "Succeeded" || phase === "Failed";
  });
}

function recordOf(job: Job, attempt: string, startTime = attempt): MigrationRecord {
  return {
    job: job.metadata.name,
    version: versionOf(job),
    database: databaseOf(job),
    phase: "Started",
    attempt,
    startTime,
  };
}

/** Whether a completed Job may be deleted by another client before its completion is recorded. */
function mayBeDeleted(known: MigrationRecord | undefined, record: MigrationRecord | undefined, jobs: readonly Job[]) {
  if (known?.phase !== "Complete" || (record?.attempt === known.attempt && record.phase === "Complete")) return false;
  const job = jobs.find(({ metadata }) => metadata.name === known.job);
  return job?.metadata.deletionTimestamp !== undefined || job?.spec.ttlSecondsAfterFinished !== undefined;
}

/** The Job to create. The attempt stays the same if the Job was deleted before it completed, because no other one has run since. */
function creation(wanted: Job, known: MigrationRecord | undefined, now: Date): Migration {
  const isAgain = known?.phase === "Started" && known.job === wanted.metadata.name;
  const attempt = isAgain ? known.attempt : laterThan(known?.attempt, now);
  const annotations = { ...wanted.metadata.annotations, [annotation.attempt]: attempt };
  const job = { ...wanted, metadata: { ...wanted.metadata, annotations } };
  const record = recordOf(wanted, attempt, now.toISOString());
  if (known?.phase !== "Complete") return { ...running(wanted), create: job, record };
  const previous = { job: known.job, version: known.version, database: known.database, attempt: known.attempt };
  return { ...running(wanted), create: job, record: { ...record, previous } };
}

/** The time, but always later than the previous attempt, because clocks of two operators differ. */
function laterThan(former: string | undefined, now: Date): string {
  const after = former === undefined ? Number.NaN : Date.parse(former) + 1;
  return new Date(Number.isNaN(after) ? now.getTime() : Math.max(after, now.getTime())).toISOString();
}

type Decision = Omit<Migration, "record">;

/** The decision while a container may be changing a database: for any spec, it is not stopped. */
function runningMigration(
  pods: readonly Pod[],
  jobs: readonly Job[],
  current: Job | undefined,
  now: Date,
): Decision | undefined {
  const pod = pods.find((each) => migrateContainer(each)?.state?.running !== undefined);
  if (pod === undefined) return undefined;
  const job = jobs.find((each) => isPodOf(pod, each));
  const what = job === undefined ? `Pod/${pod.metadata.name}` : objectText(job);
  const started = Date.parse(String(migrateContainer(pod)?.state?.running?.startedAt ?? ""));
  const seconds = (now.getTime() - started) / 1000;
  if (seconds >= overdueSeconds) {
    const message = `${what} has been running for more than ${Math.floor(seconds / 60)} minutes. It is not stopped, because the migration of the database may be incomplete. See kubectl logs -n ${pod.metadata.namespace} ${pod.metadata.name} -c migrate. If its node is lost, delete the pod with --force.`;
    return { ...pending(message, "MigrationOverdue"), stalled: true };
  }
  const again = Number.isNaN(seconds) ? {} : { againInSeconds: Math.max(1, overdueSeconds - seconds) };
  if (job === undefined || job !== current || job.metadata.deletionTimestamp !== undefined) {
    return { ...pending(`Waiting until ${what}, an earlier migration that is still running, ends.`), ...again };
  }
  const failure = podFailure(podsOf(job, pods));
  if (failure !== undefined) return { complete: false, remove: [], cause: failure, stalled: true, ...again };
  return { ...running(job), ...again };
}

/** The decision with other Jobs that have not completed and do not run: they are deleted first. */
function unfinished(others: readonly Job[]): Decision | undefined {
  const [first, ...rest] = others.filter((job) => !isComplete(job));
  if (first === undefined) return undefined;
  const message = `Waiting until ${objectText(first)}, an earlier migration that did not complete, and its pods are deleted.`;
  return { ...pending(message), remove: notTerminating([first, ...rest]) };
}

/** The decision with a pod whose Job was deleted without it: the pod may still connect to the database. */
function orphanedPod(pods: readonly Pod[], jobs: readonly Job[]): Decision | undefined {
  const pod = pods.find((each) => !jobs.some((job) => isPodOf(each, job)));
  if (pod === undefined) return undefined;
  const { name, namespace } = pod.metadata;
  return pending(
    `Waiting until Pod/${name}, whose migration Job was deleted, ends. To stop it: kubectl delete pod -n ${namespace} ${name}`,
  );
}

/** The decision for the Job of the desired name, which has not completed and has no running container. */
function ofCurrent(live: Job, wanted: Job, pods: readonly Pod[]): Decision {
  const text = objectText(live);
  if (live.metadata.deletionTimestamp !== undefined) return pending(`Waiting until ${text} and its pods are deleted.`);
  if (hasCondition(live, "Failed") || inputsOf(live) !== inputsOf(wanted)) {
    return { ...pending(`${text} is replaced, because it failed or its Secrets or settings changed.`), remove: [live] };
  }
  const failure = podFailure(pods);
  if (failure !== undefined) return { complete: false, remove: [], cause: failure, stalled: true };
  return running(live);
}

/** Whether the database would need an earlier schema. Another or restored database is not rejected. */
function isRejected(known: MigrationRecord, wanted: Job): boolean {
  return known.database === databaseOf(wanted) && isDowngrade(known.version, versionOf(wanted));
}

function rejected({ version }: MigrationRecord, wanted: Job): Decision {
  const message = `The database has the schema of MLflow ${version}, which MLflow ${versionOf(wanted)} cannot read. The operator changes nothing, and running pods continue. Set spec.version to ${version} or newer. If you have restored an older backup, set the annotation ${annotation.restored} to a new value, such as the date.`;
  return { ...pending(message, "DowngradeRejected"), stalled: true, isRejected: true };
}

/** Jobs that are not being deleted: a further DELETE would trigger another reconciliation, and so on. */
const notTerminating = (jobs: readonly Job[]) =>
  jobs.filter(({ metadata }) => metadata.deletionTimestamp === undefined);

const finished = (reason: Cause["reason"], message: string): Decision => ({
  complete: true,
  remove: [],
  cause: { reason, message },
  stalled: false,
});

const running = (job: Job): Decision => ({
  complete: false,
  remove: [],
  cause: {
    reason: "MigrationRunning",
    message: `${objectText(job)} migrates the database to the schema of MLflow ${versionOf(job)}.`,
  },
  stalled: false,
});

const pending = (message: string, reason: Cause["reason"] = "MigrationPending"): Decision => ({
  complete: false,
  remove: [],
  cause: { reason, message },
  stalled: false,
});

/** A migration that waits for something other than an earlier one. */
export function waiting(migration: Migration, message: string, more: Partial<Migration> = {}): Migration {
  const { create: _, isRecordedFirst: __, ...rest } = migration;
  return { ...rest, ...pending(message), remove: migration.remove, ...more };
}

/** Whether an object is a Job that migrates databases. */
export function isMigrationJob(object: Owned): object is Job {
  return object.kind === "Job" && !isPreflightJob(object) && !isRotationJob(object) && !isRestoreJob(object);
}

export function isRotationJob(object: Owned): object is Job {
  return object.kind === "Job" && object.metadata.labels?.[label.component] === "rotation";
}

export function isPreflightJob(object: Owned): object is Job {
  return object.kind === "Job" && object.metadata.labels?.[label.component] === "preflight";
}

export function isFinished(job: Job, type: "Complete" | "Failed"): boolean {
  return hasCondition(job, type);
}

const isComplete = (job: Job) => hasCondition(job, "Complete");

function hasCondition(job: Job, type: string): boolean {
  return job.status?.conditions?.some((each) => each.type === type && each.status === "True") ?? false;
}

function inputsOf(job: Job): string | undefined {
  return job.metadata.annotations?.[annotation.inputs];
}

function isMigrationPod(object: Owned): object is Pod {
  return object.kind === "Pod" && object.metadata.labels?.[label.component] === "migration";
}

/** Whether a pod may still connect to the database. Other containers can keep it running after the program has exited. */
function isUnfinished(pod: Pod): boolean {
  const { phase } = pod.status ?? {};
  if (phase === "Succeeded" || phase === "Failed") return false;
  return migrateContainer(pod)?.state?.terminated?.exitCode !== 0;
}

function migrateContainer({ status }: Pod) {
  return status?.containerStatuses?.find(({ name }) => name === "migrate");
}

function isPodOf(pod: Pod, job: Job): boolean {
  return (pod.metadata.ownerReferences ?? []).some(({ uid }) => uid === job.metadata.uid);
}

function podsOf(job: Job, pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => isPodOf(pod, job));
}

/** The desired Job with the pod template and annotations of the live one, which are never changed. */
export function withLiveSpec(wanted: Job, live: Job): Job {
  const { backoffLimit, completions, parallelism } = wanted.spec;
  return {
    ...wanted,
    metadata: { ...wanted.metadata, annotations: live.metadata.annotations ?? {} },
    spec: { ...live.spec, backoffLimit, completions, parallelism },
  };
}
