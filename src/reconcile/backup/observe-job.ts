import type { V1ContainerStateTerminated } from "@kubernetes/client-node";
import type { MlflowBackup } from "../../api/backup.ts";
import type { Job, Owned, Pod } from "../../kube/manifests.ts";
import { isControlledBy, objectText } from "../../kube/object.ts";
import { backupJobName, isExisting, longestHours } from "../../resources/backup-job.ts";
import { causeIn, podFailure, reportedFailure } from "../pod-failure.ts";
import type { BackupResult, BackupState } from "./backup-state.ts";
import type { RetentionResult } from "./retention-result.ts";
import { terminationOf } from "./running-backups.ts";

const another = "Create another MlflowBackup";

/** The exit codes of a program that was ended from outside: after SIGTERM and SIGKILL. */
const exitCodesOfSignals: readonly number[] = [143, 137];

/** What messages report of a program. */
interface Texts {
  readonly running: string;
  readonly done: string;
  /** What a failure causes. */
  readonly effect: string;
}

function textsOf(backup: MlflowBackup): Texts {
  if (isExisting(backup)) {
    const files = "the files of the backup";
    return { running: `verifies ${files}`, done: `has verified ${files}`, effect: "so the backup is not verified" };
  }
  return { running: "writes the backup", done: "has written the backup", effect: "so there is no backup" };
}

/** Returns the state of a backup by its Job and the pod of the Job. */
export function stateOfJob(backup: MlflowBackup, job: Job, objects: readonly Owned[], now: Date): BackupState {
  const texts = textsOf(backup);
  const pods = objects.filter((object): object is Pod => object.kind === "Pod" && isControlledBy(object, job));
  // The program has ended even if an injected container keeps the pod running.
  const ended = pods.map(terminationOf).find((termination) => termination !== undefined);
  if (ended !== undefined && job.metadata.deletionTimestamp === undefined) return stateOfProgram(texts, job, ended);
  const condition = job.status?.conditions?.find(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );
  const time = timeText(condition?.lastTransitionTime);
  if (condition?.type === "Complete") return completed(texts, job, time, undefined);
  if (condition?.type === "Failed" || job.metadata.deletionTimestamp !== undefined)
    return isOverdue(job, time) ? timedOut(texts, job, time) : interrupted(texts, job, time);
  const failure = podFailure(pods);
  const age = (now.getTime() - Date.parse(String(job.metadata.creationTimestamp))) / 1000;
  const isScheduling = failure?.reason === "Unschedulable" && age >= 0 && age < schedulingSeconds;
  if (failure !== undefined && !isScheduling) return { phase: "Running", isStalled: true, cause: failure, job };
  const cause = { reason: "BackupRunning", message: progress(texts, job, pods) } as const;
  const again = isScheduling ? { againInSeconds: schedulingSeconds - age } : {};
  return { phase: "Running", isStalled: false, cause, job, ...again };
}

/** Seconds in which a pod can be unschedulable: the scheduler also reports that while a volume is being provisioned. */
const schedulingSeconds = 10;

function progress({ running }: Texts, job: Job, pods: readonly Pod[]): string {
  const { namespace, name } = job.metadata;
  const isRunning = pods.some(({ status }) => status?.containerStatuses?.some(({ state }) => state?.running));
  if (isRunning) return `${objectText(job)} ${running}.`;
  const [pod] = pods;
  const [what, described] =
    pod === undefined
      ? ["has no pod yet", `job ${name}`]
      : ["has a pod that does not run yet", `pod ${pod.metadata.name}`];
  return `${objectText(job)} ${what}. If this lasts, see kubectl describe -n ${namespace} ${described}`;
}

/** The state of a backup whose Job was deleted. */
export function deletedJob(backup: MlflowBackup): BackupState {
  const message = `Job/${backupJobName(backup)} was deleted before it completed, ${textsOf(backup).effect}. ${another}.`;
  return { phase: "Failed", isStalled: true, cause: { reason: "BackupInterrupted", message } };
}

function stateOfProgram(texts: Texts, job: Job, ended: V1ContainerStateTerminated): BackupState {
  const time = timeText(ended.finishedAt);
  const result = resultOf(ended.message);
  // The program reports a complete backup before it deletes older ones.
  if (ended.exitCode === 0 || result !== undefined) return completed(texts, job, time, result);
  const isOutOfMemory = ended.reason === "OOMKilled";
  if (!isOutOfMemory && exitCodesOfSignals.includes(ended.exitCode))
    return isOverdue(job, time) ? timedOut(texts, job, time) : interrupted(texts, job, time);
  const { namespace, name } = job.metadata;
  const reported = reportedFailure(ended.message);
  const cause = isOutOfMemory
    ? ({
        reason: "OutOfMemory",
        message: `${objectText(job)} exceeded its memory limit, ${texts.effect}. Raise spec.pod.resources.limits.memory of the MlflowServer, and create another MlflowBackup.`,
      } as const)
    : (reported ??
      ({
        reason: "BackupFailed",
        message: `${objectText(job)} ended with exit code ${ended.exitCode}, ${texts.effect}. See its log: kubectl logs -n ${namespace} job/${name}. Then create another MlflowBackup.`,
      } as const));
  return { phase: "Failed", isStalled: true, cause, job, ended: time };
}

function completed(
  { done }: Texts,
  job: Job,
  ended: string | undefined,
  result: BackupResult | undefined,
): BackupState {
  const message = `${objectText(job)} ${done}.`;
  return { phase: "Completed", isStalled: false, cause: { reason: "BackupCompleted", message }, job, ended, result };
}

function interrupted({ effect }: Texts, job: Job, ended: string | undefined): BackupState {
  const message = `The pod of ${objectText(job)} was deleted, evicted or killed before it completed, ${effect}. ${another}.`;
  return { phase: "Failed", isStalled: true, cause: { reason: "BackupInterrupted", message }, job, ended };
}

/** Whether Kubernetes has ended the Job at its deadline. Its pod can be seen to end before the condition. */
function isOverdue({ metadata, status }: Job, ended: string | undefined): boolean {
  const seconds = (Date.parse(ended ?? "") - Date.parse(String(metadata.creationTimestamp))) / 1000;
  const isReported = status?.conditions?.some(({ reason }) => reason === "DeadlineExceeded");
  return seconds >= longestHours * 3600 || isReported === true;
}

function timedOut({ effect }: Texts, job: Job, ended: string | undefined): BackupState {
  const { namespace, name } = job.metadata;
  const message = `${objectText(job)} ran for ${longestHours} hours, ${effect}. See its log: kubectl logs -n ${namespace} job/${name}. ${another}.`;
  return { phase: "Failed", isStalled: true, cause: { reason: "BackupTimeout", message }, job, ended };
}

/** The client library types times as Date; the cache has the text of the API server. */
function timeText(time: Date | string | undefined): string | undefined {
  return time === undefined ? undefined : String(time);
}

function retentionOf(report: unknown): RetentionResult | undefined {
  if (typeof report !== "object" || report === null) return undefined;
  if ("deleted" in report && Number.isSafeInteger(report.deleted)) return { deleted: Number(report.deleted) };
  return causeIn(report);
}

/** The result in the termination message of the program; undefined if it is something else. */
function resultOf(message: string | undefined): BackupResult | undefined {
  try {
    const report: unknown = JSON.parse(message ?? "");
    if (typeof report !== "object" || report === null) return undefined;
    if (!("size" in report) || typeof report.size !== "number") return undefined;
    const retention = retentionOf("retention" in report ? report.retention : undefined);
    const text = (value: unknown) => (typeof value === "string" && /^[\w.,+-]{0,64}$/.test(value) ? value : "");
    return {
      size: report.size,
      mlflowVersion: text("mlflowVersion" in report ? report.mlflowVersion : ""),
      schemaRevision: text("schemaRevision" in report ? report.schemaRevision : ""),
      ...(retention !== undefined && { retention }),
    };
  } catch {
    return undefined;
  }
}
