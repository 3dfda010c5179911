import type { Reason } from "./reasons.ts";

/** One step in the lifecycle of an object, which the operator records as an Event. */
export interface EventRow {
  readonly kind: "MlflowServer" | "MlflowWorkspaceAccess" | "MlflowBackup";
  readonly type: "Normal" | "Warning";
  /** What the operator did or tried, in UpperCamelCase. */
  readonly action: EventAction;
  /** What has happened. */
  readonly meaning: string;
}

export type EventAction =
  | "Reconcile"
  | "Migrate"
  | "RollOut"
  | "Hibernate"
  | "Pause"
  | "Upgrade"
  | "Probe"
  | "Rotate"
  | "Grant"
  | "BackUp"
  | "Restore";

/** Reasons of `EndpointSecured` for which an Event is recorded: clients can do what the spec does not allow. */
export const unsecuredReasons = ["EndpointOpen", "NetworkPolicyMissing"] as const;

/**
 * Reasons of lifecycle Events: stable, as those of conditions. Every other Event is a Warning with the reason of the condition
 * `Stalled`.
 */
export const eventReasons = {
  RestoreCompleted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Restore",
    meaning: "The databases, and the artifacts of a volume, were restored from a backup.",
  },
  MigrationStarted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Migrate",
    meaning: "A Job that migrates the database was created.",
  },
  MigrationCompleted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Migrate",
    meaning: "The database has the schema of the version.",
  },
  MigrationFailed: {
    kind: "MlflowServer",
    type: "Warning",
    action: "Migrate",
    meaning:
      "The migration Job cannot migrate the database. The note begins with the reason of the condition `Stalled`, such as `DatabaseUnreachable`.",
  },
  RolloutStarted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "RollOut",
    meaning: "The Deployment has a new pod template, and its pods are being replaced.",
  },
  RolloutCompleted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "RollOut",
    meaning: "All pods have the new pod template and are ready.",
  },
  Ready: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Reconcile",
    meaning: "The server became ready.",
  },
  Hibernated: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Hibernate",
    meaning: "No pods run, because of `hibernate: true` or `replicas: 0`.",
  },
  HibernationEnded: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Hibernate",
    meaning: "Pods start again after hibernation.",
  },
  Paused: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Pause",
    meaning: "The annotation `mlflow-operator.dev/paused` was set: the operator applies nothing for the server.",
  },
  Resumed: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Pause",
    meaning: "The annotation `mlflow-operator.dev/paused` was removed or set to `false`.",
  },
  UpgradeStopped: {
    kind: "MlflowServer",
    type: "Warning",
    action: "Upgrade",
    meaning:
      "An operator upgrade does not change the pods of the server, because another server did not become ready after it.",
  },
  UpgradeContinued: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Upgrade",
    meaning: "An operator upgrade that had stopped continues.",
  },
  EndpointOpen: {
    kind: "MlflowServer",
    type: "Warning",
    action: "Probe",
    meaning:
      "A request of the operator without a valid credential was answered: the condition `EndpointSecured` has the details.",
  },
  NetworkPolicyMissing: {
    kind: "MlflowServer",
    type: "Warning",
    action: "Probe",
    meaning:
      "The NetworkPolicy of the server was deleted, and the operator does not create it at present: the condition `EndpointSecured` has the details.",
  },
  EndpointSecured: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Probe",
    meaning:
      "An endpoint that was open rejects requests without a valid credential again, or the NetworkPolicy exists again.",
  },
  UpgradeStarted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Upgrade",
    meaning: "A change of the version or the image has begun with its preflight.",
  },
  PreflightFailed: {
    kind: "MlflowServer",
    type: "Warning",
    action: "Upgrade",
    meaning:
      "The checks before a change of the version failed. The note begins with the reason of the condition `Stalled`, such as `UnsupportedImage`.",
  },
  UpgradeHeld: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Upgrade",
    meaning: "A change of the version waits for approval or for the maintenance window.",
  },
  WritersStopped: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Upgrade",
    meaning: "The pods are stopped for a migration. They start again with the new version.",
  },
  UpgradeCompleted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Upgrade",
    meaning: "All pods have the new version or image, and are ready.",
  },
  RotationStarted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Rotate",
    meaning: "The rotation of a key or password has begun.",
  },
  RotationCompleted: {
    kind: "MlflowServer",
    type: "Normal",
    action: "Rotate",
    meaning: "The previous key or password is no longer valid. A password can be valid for `passwordCacheTTL` longer.",
  },
  RotationHeld: {
    kind: "MlflowServer",
    type: "Warning",
    action: "Rotate",
    meaning:
      "A rotation does not begin or does not continue. The note begins with the reason of the condition `RotationPending`.",
  },
  Granted: {
    kind: "MlflowWorkspaceAccess",
    type: "Normal",
    action: "Grant",
    meaning: "The grant is in force.",
  },
  Expired: {
    kind: "MlflowWorkspaceAccess",
    type: "Normal",
    action: "Grant",
    meaning: "The grant has reached `spec.expiresAt`, and its subjects have no access by it.",
  },
  Revoked: {
    kind: "MlflowWorkspaceAccess",
    type: "Warning",
    action: "Grant",
    meaning:
      "The grant is no longer in force: the server was deleted or does not serve the namespace, or the namespace is no longer labeled as a workspace. The deletion of a MlflowWorkspaceAccess is not recorded.",
  },
  BackupStarted: {
    kind: "MlflowBackup",
    type: "Normal",
    action: "BackUp",
    meaning: "A Job that writes the backup, or verifies its files, was created.",
  },
  BackupCompleted: {
    kind: "MlflowBackup",
    type: "Normal",
    action: "BackUp",
    meaning: "The backup is complete.",
  },
} as const satisfies Record<string, EventRow>;

export type LifecycleReason = keyof typeof eventReasons;

/** A reason of an Event. */
export type EventReason = LifecycleReason | Reason;

/**
 * Reasons of problems that the migration Job itself reports, in contrast to those because of which it cannot start or nothing is
 * known about it.
 */
const migrationFailures = [
  "ConfigurationInvalid",
  "UnsupportedImage",
  "DriverMissing",
  "DatabaseUnreachable",
  "DatabaseRejected",
  "DatabaseAuthenticationFailed",
  "DatabaseNotFound",
  "DatabasePermissionDenied",
  "UnsupportedCharacterSet",
  "DatabaseReadOnly",
  "DatabaseFull",
  "DatabaseLocked",
  "DatabaseTimeout",
  "DatabaseTooNew",
  "TLSVerificationFailed",
  "ArtifactStoreReadOnly",
  "ArtifactStoreAuthenticationFailed",
  "ArtifactStoreNotFound",
  "ArtifactStoreUnreachable",
  "ArtifactStoreRejected",
  "ArtifactStoreTLSVerificationFailed",
  "AdminPasswordRejected",
  "MigrationFailed",
  "PreflightFailed",
  "MigrationBusy",
  "RestoreIncomplete",
  "MigrationTimeout",
  "CrashLooping",
  "OutOfMemory",
] as const satisfies readonly Reason[];

/** Whether the migration Job reports the problem of a reason. */
export function isMigrationFailure(reason: string): boolean {
  return migrationFailures.some((each) => each === reason);
}
