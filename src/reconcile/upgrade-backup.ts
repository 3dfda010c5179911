import { createHash } from "node:crypto";
import type { MlflowBackup, NewBackup } from "../api/backup.ts";
import type { MlflowBackupSchedule } from "../api/backup-schedule.ts";
import { apiVersion, type MlflowServer } from "../api/server.ts";
import { backupRequired } from "../api/versions.ts";
import type { Deployment, Owned } from "../kube/manifests.ts";
import { annotation, label, manager } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import { upgradeBackupName } from "../model/names.ts";
import { backupPrerequisites } from "./backup/backup-prerequisites.ts";
import { type Cause, combined } from "./cause.ts";
import type { Cluster } from "./cluster.ts";
import type { ObservedState } from "./observed-state.ts";
import { ownershipOf } from "./ownership.ts";
import { deploymentOf, versionIn } from "./server-workload.ts";
import { migrationIn, type VersionChange } from "./version-change.ts";

/** What the backup before a change of the version depends on; read only for a spec that asks for it, while its version is not that of the pods. */
export interface UpgradeBackupInputs {
  /** Undefined if it does not exist, or belongs to another server. */
  readonly schedule: MlflowBackupSchedule | undefined;
  readonly backups: readonly MlflowBackup[];
  /** Why a backup of the schedule could not start. */
  readonly missing: readonly Cause[];
}

/** Reads the inputs from the cluster. */
export async function upgradeBackupInputs(
  cluster: Pick<Cluster, "backups" | "backupSchedules" | "secret" | "configMap" | "serversIn" | "owned">,
  server: MlflowServer,
  owned: readonly Owned[],
): Promise<UpgradeBackupInputs | undefined> {
  const { metadata, spec } = server;
  const { namespace, name } = metadata;
  const deployment = deploymentOf({ owned, server });
  const version = deployment && versionIn(deployment);
  if (spec.upgrade?.backup === undefined || version === spec.version) return undefined;
  const { scheduleRef } = spec.upgrade.backup;
  const key = { namespace, name };
  const schedule = cluster.backupSchedules(key).find(({ metadata }) => metadata.name === scheduleRef.name);
  const missing = schedule === undefined ? [] : await backupPrerequisites(cluster, schedule);
  return { schedule, backups: cluster.backups(key), missing };
}

/** The state of the backup before the migration of a change. */
export type UpgradeBackup =
  | { readonly state: "none" | "completed" }
  | { readonly state: "blocked"; readonly cause: Cause }
  /** `after` is the previous attempt, which was interrupted. */
  | { readonly state: "missing"; readonly create: NewBackup; readonly after?: MlflowBackup }
  | { readonly state: "running" | "failed"; readonly backup: MlflowBackup };

/** A pod that is killed each time must not keep the pods of the server stopped. */
const mostAttempts = 5;

/**
 * Returns the state of the backup. Its name depends on the migration before the change and on that of the change, so each change has its own,
 * also if the same change is made again after a restoration. A backup that was interrupted, such as by a drained node, is followed by another one.
 */
export function upgradeBackup(observed: ObservedState, { fromVersion, toVersion }: VersionChange): UpgradeBackup {
  const { server, model, upgradeBackup: inputs } = observed;
  const { backup: settings } = server.spec.upgrade ?? {};
  const migrates = model.migration.mode === "upgrade" && fromVersion !== toVersion;
  if (settings === undefined || inputs === undefined || !migrates) return { state: "none" };
  const { job, attempt } = server.status?.migration ?? {};
  const hash = createHash("sha256")
    .update(JSON.stringify([model.migration.job, job, attempt]))
    .digest("hex");
  const nameOf = (attempt: number) => upgradeBackupName(server.metadata.name, hash.slice(0, 10), attempt);
  const attempts = Array.from({ length: mostAttempts }, (_, index) =>
    inputs.backups.find(({ metadata }) => metadata.name === nameOf(index + 1)),
  );
  if (attempts.some((each) => each?.status?.phase === "Completed")) return { state: "completed" };
  const made = attempts.findLastIndex((each) => each !== undefined) + 1;
  const backup = attempts[made - 1];
  if (backup !== undefined && backup.status?.phase !== "Failed") return { state: "running", backup };
  if (backup !== undefined && (!wasInterrupted(backup) || made === mostAttempts)) return { state: "failed", backup };
  const { schedule, missing } = inputs;
  if (schedule === undefined) {
    const message = `spec.upgrade.backup names MlflowBackupSchedule/${settings.scheduleRef.name}, which does not exist or is of another server, so no backup can be written. Create it, or remove spec.upgrade.backup.`;
    return { state: "blocked", cause: { reason: "BackupScheduleNotFound", message } };
  }
  const [first, ...others] = missing;
  if (first !== undefined) {
    const { reason, message } = combined([first, ...others]);
    return { state: "blocked", cause: { reason, message: `${objectText(schedule)}: ${message}` } };
  }
  const { namespace } = server.metadata;
  return {
    state: "missing",
    ...(backup !== undefined && { after: backup }),
    create: {
      apiVersion,
      kind: "MlflowBackup",
      metadata: { name: nameOf(made + 1), namespace, labels: { [label.managedBy]: manager } },
      spec: { serverRef: { name: server.metadata.name }, destination: schedule.spec.destination },
    },
  };
}

/** Whether a backup was ended from outside. */
function wasInterrupted({ status }: MlflowBackup): boolean {
  return status?.conditions?.find(({ type }) => type === "Ready")?.reason === "BackupInterrupted";
}

/** What to do if MLflow asks for a backup before the migration of this change and the spec does not; undefined otherwise. */
export function missingBackupWarning({ model, server }: ObservedState, change: VersionChange): string | undefined {
  if (model.migration.mode !== "upgrade" || server.spec.upgrade?.backup !== undefined) return undefined;
  if (!backupRequired(change.fromVersion, change.toVersion)) return undefined;
  return `MLflow ${change.toVersion} requires a restorable backup before its migration, and spec.upgrade.backup is not set, so the operator writes none.`;
}

/** The Deployments that were stopped for this change. */
export function stoppedDeployments(observed: ObservedState): Deployment[] {
  return stopped(observed).filter((each) => stoppedFor(each) === observed.model.migration.job);
}

/** The Deployments that were stopped for a change that this one has replaced, unless its migration has begun. */
export function stoppedForOther(observed: ObservedState): Deployment[] {
  const { model, server } = observed;
  const live = deploymentOf(observed);
  const isUnchanged = live !== undefined && server.status?.migration?.job === migrationIn(live);
  if (!isUnchanged && model.migration.mode !== undefined) return [];
  return stopped(observed).filter((each) => ![undefined, model.migration.job].includes(stoppedFor(each)));
}

function stopped({ owned, server }: ObservedState): Deployment[] {
  return owned.filter(
    (each): each is Deployment =>
      each.kind === "Deployment" && each.spec.replicas === 0 && ownershipOf(each, server) === "owned",
  );
}

function stoppedFor({ metadata }: Deployment): string | undefined {
  return metadata.annotations?.[annotation.stoppedFor];
}
