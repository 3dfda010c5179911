import type { RestoreRecord } from "../api/status.ts";
import type { Job } from "../kube/manifests.ts";
import { isControlledBy, objectText } from "../kube/object.ts";
import { locationOf } from "../resources/backup-destination.ts";
import { restoreContainer, restoreJob } from "../resources/restore-job.ts";
import { type Cause, combined } from "./cause.ts";
import { isFinished } from "./migration.ts";
import type { ObservedState } from "./observed-state.ts";
import { ownershipOf } from "./ownership.ts";
import { isRestoreJob, restoredCounts } from "./restored-counts.ts";
import { isUnfinished, podsOf } from "./server-workload.ts";
import { jobProblem } from "./workload-problem.ts";

/** Why neither the migration nor the pods of a server begin yet, because its backup is not restored. */
export interface RestoreHold {
  readonly state: "progressing" | "stalled";
  readonly cause: Cause;
  readonly againInSeconds?: number | undefined;
  readonly create?: Job;
}

/** The decision about `spec.restore`. */
export interface Restore {
  readonly hold?: RestoreHold;
  /** What the Job of this spec has restored, until it is in the status. */
  readonly record?: RestoreRecord;
  readonly remove: readonly Job[];
}

/**
 * Decides about the restore: it is done if the status has it, or the Job of this spec has succeeded. A Job is created only when no other
 * one and no pod of one is left. Without a status the Job runs again, and its program changes nothing that it has restored.
 */
export function restoreOf(observed: ObservedState): Restore {
  const { server, owned } = observed;
  const jobs = owned.filter(isRestoreJob).filter((job) => ownershipOf(job, server) === "owned");
  if (server.spec.restore === undefined) return { remove: jobs };
  if (server.status?.restore !== undefined) return { remove: [] };
  const wanted = wantedJob(observed);
  if ("cause" in wanted) return { hold: wanted, remove: [] };
  const live = jobs.find(({ metadata }) => metadata.name === wanted.job.metadata.name);
  const record = live && recordOf(live, wanted, observed);
  if (record !== undefined) return { record, remove: jobs.filter((job) => job !== live) };
  const isUseless = (job: Job) => job !== live || isFinished(job, "Failed");
  const remove = jobs.filter(isUseless);
  const pods = podsOf("restore", owned).filter((pod) => live === undefined || !isControlledBy(pod, live));
  if (live === undefined && (remove.length > 0 || pods.some(isUnfinished))) {
    const message = "Waiting until the Job and the pods of an earlier attempt to restore the backup are deleted.";
    return { hold: progressing("RestorePending", message), remove };
  }
  return { hold: runningHold(live, wanted.job, observed), remove };
}

interface Wanted {
  readonly job: Job;
  readonly name: string;
  readonly location: string;
}

/** The Job of this spec, or why there is none yet. */
function wantedJob({ server, model, restore }: ObservedState): Wanted | RestoreHold {
  const name = server.spec.restore?.backupRef.name ?? "";
  const { namespace } = server.metadata;
  const { backup, missing = [] } = restore ?? {};
  const stalled = (cause: Cause): RestoreHold => ({ state: "stalled", cause });
  if (backup === undefined) {
    const message = `spec.restore names MlflowBackup/${name}, which does not exist in namespace ${namespace}, so no pods are started. Create it, for files of another cluster with spec.existing, or name another`;
    return stalled({ reason: "BackupNotFound", message });
  }
  const { phase } = backup.status ?? {};
  if (phase === "Failed") {
    const message = `spec.restore names ${objectText(backup)}, which has failed, so no pods are started. Name a completed MlflowBackup in spec.restore.backupRef`;
    return stalled({ reason: "BackupUnusable", message });
  }
  if (phase !== "Completed") {
    return progressing("RestorePending", `Waiting until ${objectText(backup)} is completed.`);
  }
  const [first, ...others] = missing;
  if (first !== undefined) return stalled(combined([first, ...others]));
  return { job: restoreJob(model, backup), name, location: locationOf(backup) };
}

function progressing(reason: "RestorePending" | "RestoreRunning", message: string): RestoreHold {
  return { state: "progressing", cause: { reason, message } };
}

function runningHold(live: Job | undefined, wanted: Job, observed: ObservedState): RestoreHold {
  const running = progressing("RestoreRunning", `${objectText(wanted)} restores the backup. Pods start after it.`);
  if (live === undefined) return { ...running, create: wanted };
  const problem = jobProblem(live, podsOf("restore", observed.owned), observed);
  if (problem === undefined) return running;
  const { cause, stalled, againInSeconds } = problem;
  return { state: stalled ? "stalled" : "progressing", cause, againInSeconds };
}

/** The record of a Job that has succeeded. The program has ended even if an injected container keeps the pod running. */
function recordOf(live: Job, { name, location }: Wanted, { owned, now }: ObservedState): RestoreRecord | undefined {
  const ended = podsOf("restore", owned)
    .filter((pod) => isControlledBy(pod, live))
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .find((each) => each.name === restoreContainer && each.state?.terminated?.exitCode === 0)?.state?.terminated;
  if (ended === undefined && !isFinished(live, "Complete")) return undefined;
  const time = ended?.finishedAt ?? live.status?.completionTime ?? now.toISOString();
  return { backup: name, location, time: String(time), ...restoredCounts(ended?.message) };
}
