import type { MigrationRecord } from "../api/status.ts";
import { isDowngrade } from "../api/versions.ts";
import type { Job, Owned, Pod } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import type { Cause } from "./finding.ts";
import { podFailure } from "./pod-failure.ts";

/** The state of the databases, and which Jobs must be created and deleted. */
export interface Migration {
  /** Whether pods of this spec may start. */
  readonly complete: boolean;
  readonly create?: Job;
  readonly remove: readonly Job[];
  readonly cause: Cause;
  /** Whether it needs a person, or time. */
  readonly stalled: boolean;
  /** What `status.migration` must say after this pass. */
  readonly record: MigrationRecord | undefined;
  /** The record must be in the status before anything else is written. */
  readonly isRecordedFirst?: true;
  /** The version is older than the schema: nothing is written. */
  readonly isRefused?: true;
  /** Objects have just been written; the next pass has more to report. */
  readonly isInterim?: true;
  /** Seconds until a pass is needed that no watch event causes. */
  readonly againInSeconds?: number;
}

/** What a decision about the migration depends on. */
export interface MigrationFacts {
  /** Objects of the server; only its Jobs and their pods matter. */
  readonly owned: readonly Owned[];
  /** `status.migration`; undefined where it says nothing, which is always safe: the Job runs again. */
  readonly record: MigrationRecord | undefined;
  readonly now: Date;
}

/** No Job of one name is created twice within this time, whoever deletes it. */
const recreationSeconds = 10;

/** So long a migration may run before it is reported. It is never ended for it. */
export const overdueSeconds = 3600;

/**
 * Decides about the migration, by these rules:
 * - The schema fits if the last Job whose program may have run is the wanted one and has completed. `status.migration`
 *   records that, so the Job itself may be deleted. An earlier completed Job proves nothing: another has run since.
 * - The record of a completed Job is withdrawn before another Job is created. Without a record the Job runs again, which
 *   changes nothing where the schema fits.
 * - A Job with a container at work is never deleted. Every other Job waits for its end.
 * - A Job is created only when no other is unfinished and no pod of one is left.
 */
export function migrationOf(wanted: Job | undefined, { owned, record, now }: MigrationFacts): Migration {
  const jobs = owned.filter((object): object is Job => object.kind === "Job");
  const allPods = owned.filter(isMigrationPod);
  const pods = allPods.filter(isUnfinished);
  const known = latestRecord(record, jobs, allPods);
  const isLast = (job: Job) => job.metadata.name === known?.job && attemptOf(job) === known.attempt;
  const named = wanted && jobs.find((job) => job.metadata.name === wanted.metadata.name);
  const current = named && isLast(named) ? named : undefined;
  const report = { record: known, ...(mayVanish(known, record, jobs) && { isRecordedFirst: true as const }) };

  const obstacle =
    atWork(pods, jobs, current, now) ?? unfinished(jobs.filter((job) => job !== current)) ?? abandoned(pods, jobs);
  if (obstacle !== undefined) return { ...report, ...obstacle, record: withoutRemoved(known, obstacle, allPods) };
  if (wanted === undefined) {
    const message = "The operator neither migrates nor checks the database, because migration is Manual.";
    return { ...finished("MigrationDisabled", message), remove: staying(jobs), record: undefined };
  }
  const former = staying(jobs.filter((job) => job !== named || current === undefined));
  if (known?.phase === "Complete" && known.job === wanted.metadata.name) {
    const message = `The database has the schema of MLflow ${known.version}.`;
    return { ...report, ...finished("MigrationComplete", message), remove: former };
  }
  if (known?.phase === "Complete" && isRefused(known, wanted)) return { ...report, ...refused(known, wanted) };
  if (current !== undefined) return { ...report, ...ofCurrent(current, wanted, podsOf(current, pods)) };
  if (named !== undefined) {
    const message = `Waiting until the former ${objectText(named)} is deleted.`;
    return { ...report, ...pending(message), remove: staying([named]) };
  }
  const isAgain = known?.phase === "Started" && known.job === wanted.metadata.name;
  const waits = isAgain ? recreationSeconds - (now.getTime() - Date.parse(known.startTime)) / 1000 : 0;
  if (waits > 0 && waits <= recreationSeconds) {
    const message = `Job/${wanted.metadata.name} was deleted before it completed. It is created again within ${recreationSeconds} s.`;
    return { ...report, ...pending(message), againInSeconds: waits };
  }
  // Were the new Job deleted unseen, a proof that is still there would hold for what it has changed.
  const isProven = record?.phase === "Complete" || record?.proof !== undefined || jobs.some(isComplete);
  const isWithdrawn = isAgain && record?.attempt === known.attempt && record.proof === undefined;
  return { ...creation(wanted, known, now), ...(isProven && !isWithdrawn && { isRecordedFirst: true }) };
}

/** The identity of the databases that a Job is for; not of the user who connects. */
function databaseOf(job: Job): string {
  return job.metadata.annotations?.[annotation.database] ?? "";
}

function versionOf(job: Job): string {
  return job.metadata.labels?.[label.version] ?? "";
}

/** When the Job was first decided on: tells it from others of its name. Later attempts are greater. */
function attemptOf(job: Job): string {
  return job.metadata.annotations?.[annotation.attempt] ?? "";
}

/**
 * The record, unless a later Job exists or the recorded one has completed by now. A Job that is deleted before its program
 * has run leaves the completed migration before it in force.
 */
function latestRecord(
  record: MigrationRecord | undefined,
  jobs: readonly Job[],
  pods: readonly Pod[],
): MigrationRecord | undefined {
  const isLeaving = (job: Job) => job.metadata.deletionTimestamp !== undefined;
  const last = jobs
    .filter((job) => !isLeaving(job) || hasRun(job, pods))
    .reduce<Job | undefined>(
      (found, job) => (attemptOf(job) > (found === undefined ? "" : attemptOf(found)) ? job : found),
      undefined,
    );
  const isLater = last !== undefined && attemptOf(last) > (record?.attempt ?? "");
  const known = isLater ? recordOf(last, attemptOf(last)) : record;
  if (known === undefined || known.phase === "Complete") return known;
  const job = jobs.find(({ metadata }) => metadata.name === known.job);
  if (job === undefined || attemptOf(job) !== known.attempt) return known;
  const { proof: _, ...rest } = known;
  if (isComplete(job)) return { ...rest, phase: "Complete" };
  return isLeaving(job) ? withoutUnstarted(known, job, pods) : known;
}

/** The record once the Jobs that are deleted are gone. */
function withoutRemoved(known: MigrationRecord | undefined, { remove }: Decision, pods: readonly Pod[]) {
  const job = remove.find(({ metadata }) => metadata.name === known?.job);
  return known === undefined || job === undefined || attemptOf(job) !== known.attempt
    ? known
    : withoutUnstarted(known, job, pods);
}

/** The completed migration before a Job that goes, if its pods are there and show that its program has not run. */
function withoutUnstarted(known: MigrationRecord, job: Job, pods: readonly Pod[]): MigrationRecord {
  const { proof, startTime } = known;
  if (proof === undefined || hasRun(job, pods) || podsOf(job, pods).length === 0) return known;
  return { ...proof, phase: "Complete", startTime };
}

/** Whether there is a sign that the program of a Job has run. */
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

/** Whether a completed Job is about to be deleted by others, while nothing but the Job says that it has completed. */
function mayVanish(known: MigrationRecord | undefined, record: MigrationRecord | undefined, jobs: readonly Job[]) {
  if (known?.phase !== "Complete" || (record?.attempt === known.attempt && record.phase === "Complete")) return false;
  const job = jobs.find(({ metadata }) => metadata.name === known.job);
  return job?.metadata.deletionTimestamp !== undefined || job?.spec.ttlSecondsAfterFinished !== undefined;
}

/** The attempt stays the same where the Job was deleted before its end: nothing else has run in between. */
function creation(wanted: Job, known: MigrationRecord | undefined, now: Date): Migration {
  const isAgain = known?.phase === "Started" && known.job === wanted.metadata.name;
  const attempt = isAgain ? known.attempt : laterThan(known?.attempt, now);
  const annotations = { ...wanted.metadata.annotations, [annotation.attempt]: attempt };
  const job = { ...wanted, metadata: { ...wanted.metadata, annotations } };
  const record = recordOf(wanted, attempt, now.toISOString());
  if (known?.phase !== "Complete") return { ...running(wanted), create: job, record };
  const proof = { job: known.job, version: known.version, database: known.database, attempt: known.attempt };
  return { ...running(wanted), create: job, record: { ...record, proof } };
}

/** The time, but always after the former attempt: clocks of two operators differ. */
function laterThan(former: string | undefined, now: Date): string {
  const after = former === undefined ? Number.NaN : Date.parse(former) + 1;
  return new Date(Number.isNaN(after) ? now.getTime() : Math.max(after, now.getTime())).toISOString();
}

type Decision = Omit<Migration, "record">;

/** A container that may be changing a database now. Whatever the spec says, it is left to its end. */
function atWork(pods: readonly Pod[], jobs: readonly Job[], current: Job | undefined, now: Date): Decision | undefined {
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

/** Other Jobs that have not completed, none of them at work: they are deleted first, and waited for. */
function unfinished(others: readonly Job[]): Decision | undefined {
  const [first, ...rest] = others.filter((job) => !isComplete(job));
  if (first === undefined) return undefined;
  const message = `Waiting until ${objectText(first)}, an earlier migration that did not complete, and its pods are deleted.`;
  return { ...pending(message), remove: staying([first, ...rest]) };
}

/** A pod whose Job was deleted without it still connects to the database. */
function abandoned(pods: readonly Pod[], jobs: readonly Job[]): Decision | undefined {
  const pod = pods.find((each) => !jobs.some((job) => isPodOf(each, job)));
  if (pod === undefined) return undefined;
  const { name, namespace } = pod.metadata;
  return pending(
    `Waiting until Pod/${name}, whose migration Job was deleted, ends. To stop it: kubectl delete pod -n ${namespace} ${name}`,
  );
}

/** The Job of the wanted name, which has not completed and has no container at work. */
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

/** The database would have to go back to an earlier schema. Another database, or a restored one, is not refused. */
function isRefused(known: MigrationRecord, wanted: Job): boolean {
  return known.database === databaseOf(wanted) && isDowngrade(known.version, versionOf(wanted));
}

function refused({ version }: MigrationRecord, wanted: Job): Decision {
  const message = `The database has the schema of MLflow ${version}, which MLflow ${versionOf(wanted)} cannot read. The operator changes nothing, and running pods continue. Set spec.version to ${version} or newer. If you have restored an older backup, set the annotation ${annotation.restored} to a new value, such as the date.`;
  return { ...pending(message, "DowngradeRejected"), stalled: true, isRefused: true };
}

/** Another DELETE of what is already being deleted would be a change, and the next pass would send yet another. */
const staying = (jobs: readonly Job[]) => jobs.filter(({ metadata }) => metadata.deletionTimestamp === undefined);

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

/** A migration that waits for something else than an earlier one. */
export function waiting(migration: Migration, message: string, more: Partial<Migration> = {}): Migration {
  const { create: _, isRecordedFirst: __, ...rest } = migration;
  return { ...rest, ...pending(message), remove: migration.remove, ...more };
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

/** Whether a pod may still connect to the database. Other containers may keep it after the program's end. */
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
