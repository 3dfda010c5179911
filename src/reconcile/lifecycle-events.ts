import type { MlflowBackupStatus } from "../api/backup.ts";
import type { MlflowBackupScheduleStatus } from "../api/backup-schedule.ts";
import { type EventAction, eventReasons, isMigrationFailure, type LifecycleReason } from "../api/event-reasons.ts";
import { isReason } from "../api/reasons.ts";
import type { MlflowServerStatus } from "../api/server.ts";
import type { MlflowWorkspaceAccessStatus } from "../api/workspace-access.ts";
import type { Condition } from "../kube/conditions.ts";
import type { ReportedEvent } from "./cluster.ts";

type Status = Pick<
  MlflowServerStatus | MlflowWorkspaceAccessStatus | MlflowBackupStatus | MlflowBackupScheduleStatus,
  "conditions"
>;

/**
 * The Events for a change of the status of an MlflowServer, in the order of the lifecycle. They depend on the two statuses only, so a
 * restart of the operator neither repeats nor adds one, and equal statuses have none.
 */
export function serverEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  return [
    ...pauseEvents(before, after),
    ...upgradeEvents(before, after),
    ...versionEvents(before, after),
    ...hibernationEvents(before, after),
    ...restoreEvents(before, after),
    ...migrationEvents(before, after),
    ...rotationEvents(before, after),
    ...rolloutEvents(before, after),
    ...readyEvents(before, after),
    ...endpointEvents(before, after),
    ...problemEvents(before, after, "Reconcile"),
  ];
}

/** The Events for a change of the status of a MlflowWorkspaceAccess. */
export function accessEvents(
  before: MlflowWorkspaceAccessStatus | undefined,
  after: MlflowWorkspaceAccessStatus,
): ReportedEvent[] {
  const [former, ready] = [conditionIn(before, "Ready"), conditionIn(after, "Ready")];
  const wasInForce = former?.status === "True";
  if (ready?.status === "True") {
    const isKnown = wasInForce && former.observedGeneration === ready.observedGeneration;
    return isKnown ? [] : [lifecycleEvent("Granted", ready.message)];
  }
  if (ready?.reason === "Expired") {
    return former?.reason === "Expired" ? [] : [lifecycleEvent("Expired", ready.message)];
  }
  // Other problems, such as an unsupported field, do not end a grant.
  const isEnded = ready?.reason === "WorkspaceNotServed" || ready?.reason === "WorkspaceOptInMissing";
  if (wasInForce && isEnded) return [lifecycleEvent("Revoked", `${ready.reason}: ${ready.message}`)];
  return problemEvents(before, after, "Grant");
}

/** The Events for a change of the status of an MlflowBackup. */
export function backupEvents(before: MlflowBackupStatus | undefined, after: MlflowBackupStatus): ReportedEvent[] {
  const isStarted = after.startedAt !== undefined && before?.startedAt === undefined;
  const isCompleted = after.phase === "Completed" && before?.phase !== "Completed";
  return [
    ...(isStarted ? [lifecycleEvent("BackupStarted", `Job/${after.job} was created.`)] : []),
    ...(isCompleted ? [lifecycleEvent("BackupCompleted", conditionIn(after, "Ready")?.message ?? "")] : []),
    ...problemEvents(before, after, "BackUp"),
  ];
}

/** The Events for a change of the status of an MlflowBackupSchedule. */
export function scheduleEvents(
  before: MlflowBackupScheduleStatus | undefined,
  after: MlflowBackupScheduleStatus,
): ReportedEvent[] {
  return problemEvents(before, after, "BackUp");
}

function pauseEvents(before: Status | undefined, after: Status): ReportedEvent[] {
  const [wasPaused, paused] = [isPaused(before), conditionIn(after, "Paused")];
  if (isPaused(after)) return wasPaused ? [] : [lifecycleEvent("Paused", paused?.message ?? "")];
  if (!wasPaused || isUnknown(after)) return [];
  return [lifecycleEvent("Resumed", "The operator applies the spec again.")];
}

function upgradeEvents(before: Status | undefined, after: Status): ReportedEvent[] {
  const [former, pending] = [conditionIn(before, "UpgradePending"), conditionIn(after, "UpgradePending")];
  const wasStopped = former?.reason === "UpgradeStopped";
  if (pending?.reason === "UpgradeStopped") {
    return wasStopped ? [] : [lifecycleEvent("UpgradeStopped", pending.message)];
  }
  // Without the condition, a stalled server may still have to be changed.
  const continues = pending !== undefined || conditionIn(after, "Stalled")?.status !== "True";
  if (!wasStopped || !continues || isUnknown(after)) return [];
  return [lifecycleEvent("UpgradeContinued", "The upgrade of the operator, or of its settings, continues.")];
}

function versionEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  const [former, upgrade] = [before?.upgrade, after.upgrade];
  if (upgrade === undefined) {
    const isDone = former?.phase === "RollingOut" && conditionIn(after, "Ready")?.status === "True";
    return isDone
      ? [lifecycleEvent("UpgradeCompleted", `All pods are changed from ${former.from} to ${former.to}.`)]
      : [];
  }
  const { from, to, phase, waitingFor = "" } = upgrade;
  const isNew = former?.to !== to || former.from !== from;
  const events = isNew ? [lifecycleEvent("UpgradeStarted", `The server is changed from ${from} to ${to}.`)] : [];
  if (!isNew && former.phase === phase && former.waitingFor === waitingFor) return events;
  if (phase === "Waiting") events.push(lifecycleEvent("UpgradeHeld", `The change to ${to} waits for ${waitingFor}.`));
  if (phase === "StoppingWriters") {
    events.push(lifecycleEvent("WritersStopped", `The pods are stopped before the migration for ${to}.`));
  }
  return events;
}

function rotationEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  const events = (after.rotations ?? []).flatMap((rotation): ReportedEvent[] => {
    const { name, phase, startedAt, completedAt } = rotation;
    // Pods that get another content of a Secret are a rollout.
    if (name === "references") return [];
    const former = before?.rotations?.find((each) => each.name === name);
    if (phase !== "Completed")
      return former?.startedAt === startedAt
        ? []
        : [lifecycleEvent("RotationStarted", `The rotation of ${name} has begun.`)];
    const isNew = completedAt !== undefined && former?.completedAt !== completedAt;
    return isNew ? [lifecycleEvent("RotationCompleted", `The rotation of ${name} is complete.`)] : [];
  });
  const [former, pending] = [conditionIn(before, "RotationPending"), conditionIn(after, "RotationPending")];
  if (pending === undefined || pending.reason === "RotationRunning" || pending.reason === former?.reason) return events;
  return [...events, lifecycleEvent("RotationHeld", `${pending.reason}: ${pending.message}`)];
}

function hibernationEvents(before: Status | undefined, after: Status): ReportedEvent[] {
  const [former, available] = [conditionIn(before, "Available"), conditionIn(after, "Available")];
  const wasHibernated = former?.reason === "Hibernated";
  if (available?.reason === "Hibernated") {
    return wasHibernated ? [] : [lifecycleEvent("Hibernated", available.message)];
  }
  const starts = available?.reason === "NoPodReady" || available?.reason === "PodsReady";
  return wasHibernated && starts ? [lifecycleEvent("HibernationEnded", "Pods start again.")] : [];
}

function restoreEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  if (after.restore === undefined || before?.restore !== undefined) return [];
  return [
    lifecycleEvent(
      "RestoreCompleted",
      conditionIn(after, "Restored")?.message ?? `The server was restored from MlflowBackup/${after.restore.backup}.`,
    ),
  ];
}

function migrationEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  const [former, migration] = [before?.migration, after.migration];
  if (migration === undefined) return [];
  const { job, version, phase, attempt, startTime } = migration;
  if (phase === "Started") {
    const isNew = startTime !== undefined && (former?.attempt !== attempt || former.startTime !== startTime);
    const message = `Job/${job} migrates the database to the schema of MLflow ${version}.`;
    return isNew ? [lifecycleEvent("MigrationStarted", message)] : [];
  }
  const [formerly, database] = [conditionIn(before, "DatabaseReady"), conditionIn(after, "DatabaseReady")];
  if (database?.reason !== "MigrationComplete" || former?.previous?.attempt === attempt) return [];
  const isNew =
    former?.phase === "Complete" && former.attempt === attempt
      ? // The record may have been written before the status.
        formerly?.reason === "MigrationRunning" || isMigrationFailure(formerly?.reason ?? "")
      : former !== undefined || formerly?.reason !== "MigrationComplete";
  return isNew ? [lifecycleEvent("MigrationCompleted", database.message)] : [];
}

function rolloutEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  const [former, rollout] = [before?.rollout, after.rollout];
  if (rollout === undefined || conditionIn(after, "Available")?.reason === "Hibernated") return [];
  const isSame = former?.revision === rollout.revision;
  if (isSame && former?.phase === rollout.phase) return [];
  // A status of an operator that did not record rollouts.
  if (former === undefined && conditionIn(before, "Ready")?.status === "True") return [];
  const { revision, phase } = rollout;
  if (phase === "Complete") {
    return [
      lifecycleEvent("RolloutCompleted", `All pods are of revision ${revision} of the Deployment, and are ready.`),
    ];
  }
  const verb = former === undefined ? "starts" : "replaces its pods by";
  return [lifecycleEvent("RolloutStarted", `The Deployment ${verb} pods of revision ${revision}.`)];
}

function readyEvents(before: Status | undefined, after: Status): ReportedEvent[] {
  const [former, ready] = [conditionIn(before, "Ready"), conditionIn(after, "Ready")];
  if (ready?.status !== "True" || ready.reason !== "Ready") return [];
  const isKnown = former?.status === "True" && former.reason === ready.reason;
  return isKnown ? [] : [lifecycleEvent("Ready", ready.message)];
}

/** The problem is in the status until the condition is True: it is Unknown meanwhile if pods are replaced, which is no step. */
function endpointEvents(before: MlflowServerStatus | undefined, after: MlflowServerStatus): ReportedEvent[] {
  const [was, is] = [before?.endpointProblem, after.endpointProblem];
  const secured = conditionIn(after, "EndpointSecured");
  if (secured === undefined || is === was) return [];
  if (is !== undefined) return secured.reason === is ? [lifecycleEvent(is, secured.message)] : [];
  return secured.status === "True" ? [lifecycleEvent("EndpointSecured", secured.message)] : [];
}

/** The Warning for an object that stalls, or stalls with another reason. */
function problemEvents(
  before: Status | undefined,
  after: Status & Pick<MlflowServerStatus, "upgrade">,
  action: EventAction,
): ReportedEvent[] {
  const [former, stalled] = [conditionIn(before, "Stalled"), conditionIn(after, "Stalled")];
  if (stalled?.status !== "True" || stalled.reason === "Paused") return [];
  if (former?.status === "True" && former.reason === stalled.reason) return [];
  const { reason, message } = stalled;
  if (after.upgrade?.phase === "Preflight" && isMigrationFailure(reason)) {
    return [lifecycleEvent("PreflightFailed", reason === "PreflightFailed" ? message : `${reason}: ${message}`)];
  }
  if (isOfMigration(after) && isMigrationFailure(reason)) {
    return [lifecycleEvent("MigrationFailed", reason === "MigrationFailed" ? message : `${reason}: ${message}`)];
  }
  return isReason(reason) ? [{ type: "Warning", reason, action, message }] : [];
}

/** Whether the object stalls because of the migration, whose Job checks the artifact store first. */
function isOfMigration(after: Status): boolean {
  const [stalled, database] = [conditionIn(after, "Stalled"), conditionIn(after, "DatabaseReady")];
  if (database?.status !== "False") return false;
  return database.reason === stalled?.reason || stalled?.reason.startsWith("ArtifactStore") === true;
}

function isPaused(status: Status | undefined): boolean {
  return conditionIn(status, "Paused")?.status === "True";
}

/** Whether the status may be outdated. */
function isUnknown(status: Status): boolean {
  return conditionIn(status, "Ready")?.status === "Unknown";
}

function lifecycleEvent(reason: LifecycleReason, message: string): ReportedEvent {
  const { type, action } = eventReasons[reason];
  return { type, reason, action, message };
}

function conditionIn(status: Status | undefined, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
