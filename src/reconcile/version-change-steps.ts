import type { MlflowBackup, NewBackup } from "../api/backup.ts";
import { writersMustStop } from "../api/versions.ts";
import { excerpt } from "../kube/excerpt.ts";
import type { Deployment, Job } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";
import { preflightJob } from "../resources/migration-job.ts";
import type { Cause } from "./cause.ts";
import { nextWindow } from "./maintenance-window.ts";
import { isFinished, isPreflightJob } from "./migration.ts";
import type { ObservedState } from "./observed-state.ts";
import { ownershipOf } from "./ownership.ts";
import {
  deploymentNamed,
  deploymentOf,
  isUnfinished,
  podsOf,
  servingDeployments,
  servingPods,
} from "./server-workload.ts";
import { missingBackupWarning, stoppedDeployments, stoppedForOther, upgradeBackup } from "./upgrade-backup.ts";
import type { VersionChange, VersionProgress } from "./version-change.ts";
import { jobProblem, podProblem } from "./workload-problem.ts";

/** Why the migration of a change does not begin yet, and what is written for it. */
export interface Hold {
  readonly progress: VersionProgress;
  readonly state: "progressing" | "stalled";
  readonly cause: Cause;
  readonly againInSeconds?: number | undefined;
  readonly create?: Job;
  readonly remove?: readonly Job[];
  /** Deployments that are scaled to zero. */
  readonly stop?: readonly Deployment[];
  /** Deployments that were scaled to zero for the change, and whose pods start again. */
  readonly start?: readonly Deployment[];
  readonly createBackup?: NewBackup;
}

interface StepInput {
  readonly observed: ObservedState;
  readonly change: VersionChange;
  /** Whether pods are stopped already, so that neither approval nor the maintenance window holds the change. */
  readonly isStarted: boolean;
  /** The completed preflight Job. */
  readonly passed?: string;
}

/** Returns why a change does not continue, or undefined if the step is done. */
type ChangeStep = (input: StepInput) => Hold | undefined;

/** The last steps before the migration: a backup of databases to which no pod writes any longer, where writers must stop. */
const lastSteps: readonly ChangeStep[] = [backupFailure, otherBackup, stopWriters, backup];

/** The steps before them, in order. They change nothing but pods, so the change can be withdrawn in each. */
const heldSteps: readonly ChangeStep[] = [approval, maintenanceWindow];

/**
 * The next step of a change that is not done. A new step is a function in one of the lists: each pass repeats all of them, so a step reads from objects whether it is done, and a killed operator continues.
 */
export function heldChange(change: VersionChange, observed: ObservedState): Hold | undefined {
  const live = deploymentOf(observed);
  const isStarted = live?.metadata.annotations?.[annotation.stoppedFor] === observed.model.migration.job;
  const input = { observed, change, isStarted };
  const held = firstHold(heldSteps, input);
  // The checks run again when the change may begin: the first time can be days ago.
  const job = preflightJob(observed.model, held === undefined ? "start" : "first");
  const failed = preflight(input, job);
  if (failed !== undefined)
    return withWarning(withApproval({ ...failed, start: stoppedForOther(observed) }, input), input);
  const hold = held ?? firstHold(lastSteps, input);
  if (hold === undefined) return undefined;
  const progress = { ...hold.progress, preflight: job.metadata.name };
  return withWarning(withApproval({ ...hold, progress }, input), input);
}

/** The hold, with the value that approves the change. A user can approve it before its checks have passed. */
function withApproval(hold: Hold, { observed, change: { approval } }: StepInput): Hold {
  return isManual(observed) ? { ...hold, progress: { ...hold.progress, approval } } : hold;
}

/** The hold, with a message if MLflow asks for a backup that the spec does not. A change that cannot continue is reported without it. */
function withWarning(hold: Hold, { observed, change }: StepInput): Hold {
  const warning = missingBackupWarning(observed, change);
  if (warning === undefined || hold.state === "stalled") return hold;
  const { reason, message } = hold.cause;
  return { ...hold, cause: { reason, message: `${warning} ${message}` } };
}

function firstHold(steps: readonly ChangeStep[], input: StepInput): Hold | undefined {
  for (const step of steps) {
    const hold = step(input);
    if (hold !== undefined) return hold;
  }
  return undefined;
}

/** Why a change by the operator itself, such as another default image, does not take its turn. */
export function heldTurn(change: VersionChange, observed: ObservedState): Hold | undefined {
  const input = { observed, change, isStarted: false };
  const hold = firstHold(heldSteps, input);
  return hold && withApproval(hold, input);
}

/** Whether all pods that can write must stop before the migration, and why. */
function stopReason({ model, server: { spec } }: ObservedState, change: VersionChange): string | undefined {
  const { strategy } = spec.upgrade ?? {};
  if (strategy === "StopWriters") return "spec.upgrade.strategy is StopWriters";
  if (model.migration.mode === undefined) return undefined;
  const isOfOnePod = model.database.volume !== undefined && model.volume?.accessModes.includes("ReadWriteOncePod");
  if (isOfOnePod === true) return "only one pod can mount the volume of the database";
  if (strategy === "Rolling") return undefined;
  return model.migration.mode === "upgrade" ? writersMustStop(change.fromVersion, change.toVersion) : undefined;
}

function preflight({ observed, change }: StepInput, wanted: Job): Hold | undefined {
  const { owned, server } = observed;
  if (server.status?.upgrade?.preflight === wanted.metadata.name) return undefined;
  const jobs = owned.filter(isPreflightJob).filter((job) => ownershipOf(job, server) !== "unmanaged");
  const live = jobs.find(({ metadata }) => metadata.name === wanted.metadata.name);
  if (live !== undefined && isFinished(live, "Complete")) return undefined;
  const isUseless = (job: Job) => job !== live || isFinished(job, "Failed");
  const remove = jobs.filter((job) => isUseless(job) && ownershipOf(job, server) === "owned");
  const text = objectText(wanted);
  const hold = {
    progress: progressOf(change, "Preflight", text),
    remove,
    ...(live === undefined && { create: wanted }),
  };
  const running: Cause = {
    reason: "PreflightRunning",
    message: `${text} checks with the new image that the server can be changed from ${namesIn(change)}. ${keepsServing(change)}`,
  };
  const pods = podsOf("preflight", owned);
  const problem = live === undefined || remove.includes(live) ? undefined : jobProblem(live, pods, observed);
  if (problem === undefined) return { ...hold, state: "progressing", cause: running };
  const { reason, message } = problem.cause;
  const cause = {
    reason,
    message: `Preflight of the change from ${namesIn(change)}: ${message.replace(/[.]?$/, ".")} ${keepsServing(change)}`,
  };
  const { againInSeconds } = problem;
  return { ...hold, state: problem.stalled ? "stalled" : "progressing", cause, againInSeconds };
}

function approval({ observed, change, isStarted }: StepInput): Hold | undefined {
  const { metadata } = observed.server;
  const approved = metadata.annotations?.[annotation.approveUpgrade];
  if (isStarted || !isManual(observed) || approved === change.approval) return undefined;
  const other =
    approved === undefined
      ? ""
      : ` The annotation has ${JSON.stringify(excerpt(approved, 80))}, which does not approve this version and image.`;
  const image = change.fromVersion === change.toVersion ? "" : ` (image ${change.toImage})`;
  return {
    progress: progressOf(change, "Waiting", `annotation ${annotation.approveUpgrade}: ${change.approval}`),
    state: "progressing",
    cause: {
      reason: "ApprovalRequired",
      message: `The change from ${namesIn(change)}${image} waits for approval.${other} ${servingDuring(observed, change)} Approve it: kubectl annotate mlflowserver ${metadata.name} -n ${metadata.namespace} --overwrite ${annotation.approveUpgrade}=${change.approval}`,
    },
    start: stoppedForOther(observed),
  };
}

function isManual({ server: { spec } }: ObservedState): boolean {
  return spec.upgrade?.approval === "Manual";
}

/** Seconds after which the clock is read again at the latest. */
const clockSeconds = 3600;

function maintenanceWindow({ observed, change, isStarted }: StepInput): Hold | undefined {
  const { server, now } = observed;
  const settings = server.spec.upgrade?.maintenanceWindow;
  const next = settings === undefined || isStarted ? undefined : nextWindow(settings, now);
  if (next === undefined) return undefined;
  const time = next.toISOString().replace(":00.000Z", "Z");
  return {
    progress: progressOf(change, "Waiting", `maintenance window at ${time}`),
    state: "progressing",
    cause: {
      reason: "OutsideMaintenanceWindow",
      message: `The change from ${namesIn(change)} waits for the maintenance window, which starts at ${time}. ${servingDuring(observed, change)} To begin it now, remove spec.upgrade.maintenanceWindow.`,
    },
    againInSeconds: Math.max(1, Math.min(clockSeconds, (next.getTime() - now.getTime()) / 1000)),
    start: stoppedForOther(observed),
  };
}

/** Scales all Deployments whose pods write to the database to zero, and waits until the pods have terminated. */
function stopWriters({ observed, change }: StepInput): Hold | undefined {
  const { owned, server } = observed;
  const why = stopReason(observed, change);
  if (why === undefined) return undefined;
  const { name } = server.metadata;
  const listener = deploymentNamed(objectNames.listener(name), owned);
  const stop = [...servingDeployments(observed), ...(listener ? [listener] : [])].filter(
    (each) => each.spec.replicas !== 0 && ownershipOf(each, server) === "owned",
  );
  const pods = [...servingPods(owned), ...podsOf("traces", owned)].filter(isUnfinished);
  if (stop.length === 0 && pods.length === 0) return undefined;
  const terminating = pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const problem = podProblem(terminating, observed);
  const message = `The pods of MLflow ${change.fromVersion} are stopped before the migration (${why}). They start again with MLflow ${change.toVersion}.`;
  return {
    progress: progressOf(change, "StoppingWriters", `pods of MLflow ${change.fromVersion} to terminate`),
    state: problem?.stalled ? "stalled" : "progressing",
    cause: problem?.cause ?? { reason: "StoppingWriters", message },
    againInSeconds: problem?.againInSeconds,
    stop,
  };
}

/** Holds the change if its backup failed or cannot start, and starts the pods that were stopped for it. */
function backupFailure({ observed, change }: StepInput): Hold | undefined {
  const found = upgradeBackup(observed, change);
  if (found.state === "blocked") {
    const { reason, message } = found.cause;
    return {
      progress: progressOf(change, "Waiting", "what its backup needs"),
      state: "stalled",
      cause: { reason, message: `${message} ${keepsServing(change)}` },
      start: stoppedDeployments(observed),
    };
  }
  if (found.state !== "failed") return undefined;
  const text = objectText(found.backup);
  const { namespace } = observed.server.metadata;
  const failure = readyOf(found.backup);
  return {
    progress: progressOf(change, "BackingUp", `deletion of ${text}, which failed`),
    state: "stalled",
    cause: {
      reason: "UpgradeBackupFailed",
      message: `${text} before the change from ${namesIn(change)} failed (${failure?.reason}), so nothing is migrated. ${keepsServing(change)} Correct the cause, then let the operator create another one: kubectl delete mlflowbackup -n ${namespace} ${found.backup.metadata.name}. Or remove spec.upgrade.backup, or set the version back. ${failure?.message}`,
    },
    start: stoppedDeployments(observed),
  };
}

/** Waits for a backup that is being written, before pods are stopped: the migration would wait for it. */
function otherBackup({ observed, change, isStarted }: StepInput): Hold | undefined {
  const { runningBackup } = observed;
  const isOwn = upgradeBackup(observed, change).state === "running";
  if (isStarted || isOwn || runningBackup === undefined) return undefined;
  const text = objectText(runningBackup);
  return {
    progress: progressOf(change, "Waiting", text),
    state: "progressing",
    cause: {
      reason: "UpgradeBackupRunning",
      message: `The change from ${namesIn(change)} waits until ${text}, which writes a backup of the databases, ends. ${keepsServing(change)}`,
    },
  };
}

/** Creates the backup, and waits until it is complete. */
function backup({ observed, change }: StepInput): Hold | undefined {
  const found = upgradeBackup(observed, change);
  if (found.state !== "missing" && found.state !== "running") return undefined;
  const created = found.state === "missing" ? found.create : found.backup;
  const text = objectText(created);
  const hold = { progress: progressOf(change, "BackingUp", text), state: "progressing" } as const;
  const after =
    found.state === "missing" && found.after !== undefined ? ` ${objectText(found.after)} was interrupted.` : "";
  const message = `${text} is written before the migration of the change from ${namesIn(change)}.${after}`;
  const cause = { reason: "UpgradeBackupRunning", message } as const;
  if (found.state === "missing") return { ...hold, cause, createBackup: found.create };
  const stalled = found.backup.status?.conditions?.some(({ type, status }) => type === "Stalled" && status === "True");
  if (stalled !== true) return { ...hold, cause };
  const problem = readyOf(found.backup);
  return {
    ...hold,
    state: "stalled",
    cause: { ...cause, message: `${message} It cannot run (${problem?.reason}): ${problem?.message}` },
  };
}

function readyOf({ status }: MlflowBackup) {
  return status?.conditions?.find(({ type }) => type === "Ready");
}

function progressOf({ from, to }: VersionChange, phase: VersionProgress["phase"], waitingFor: string): VersionProgress {
  return { phase, from, to, waitingFor };
}

function namesIn({ from, to, fromVersion, toVersion }: VersionChange): string {
  return fromVersion === toVersion ? `image ${from} to ${to}` : `MLflow ${from} to ${to}`;
}

const keepsServing = ({ fromVersion, toVersion }: VersionChange) =>
  fromVersion === toVersion
    ? "The pods of the previous image keep serving."
    : `The pods of MLflow ${fromVersion} keep serving.`;

/** As {@link keepsServing}, while pods can be stopped for a change that this one has replaced. */
function servingDuring(observed: ObservedState, change: VersionChange): string {
  const live = deploymentOf(observed);
  const isStopped = live?.metadata.annotations?.[annotation.stoppedFor] !== undefined && live.spec.replicas === 0;
  if (!isStopped) return keepsServing(change);
  return stoppedForOther(observed).length > 0
    ? `The pods of MLflow ${change.fromVersion} start again.`
    : "No pods run until then: the migration of another change has begun.";
}
