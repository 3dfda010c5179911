import type { MlflowBackup, MlflowBackupStatus } from "../../api/backup.ts";
import { conditionsOf, type NewCondition, notReconciling, notStalled, timestamp } from "../../kube/conditions.ts";
import type { Job } from "../../kube/manifests.ts";
import type { Installation } from "../../model/inputs.ts";
import { locationOf } from "../../resources/backup-destination.ts";
import { serverUidOf } from "../../resources/backup-job.ts";
import type { Cause } from "../cause.ts";
import { graceLeft, observedSince } from "../grace-period.ts";
import { appliedRetention, type RetentionResult } from "./retention-result.ts";

type Phase = NonNullable<MlflowBackupStatus["phase"]>;

/** The state of a backup as one reconciliation sees it. */
export interface BackupState {
  readonly phase: Phase;
  /** Whether a user must act. A final phase is never repeated. */
  readonly isStalled: boolean;
  readonly cause: Cause;
  /** The Job, once it was created. */
  readonly job?: Job | undefined;
  /** When the program ended; undefined while it runs. */
  readonly ended?: string | undefined;
  readonly result?: BackupResult | undefined;
  /** Seconds until the next reconciliation, if no watch event triggers it. */
  readonly againInSeconds?: number | undefined;
  /** A rejected write, which is retried. */
  readonly failure?: unknown;
}

/** What the program reports of a complete backup. */
export interface BackupResult {
  readonly size: number;
  readonly mlflowVersion: string;
  readonly schemaRevision: string;
  /** Of the older backups of the schedule; undefined if none are deleted. */
  readonly retention?: RetentionResult | undefined;
}

/** Whether a backup has ended: nothing will change its status. */
export function isFinished({ status }: MlflowBackup): boolean {
  return status?.phase === "Completed" || status?.phase === "Failed";
}

/** Returns the status of a backup, and the seconds until a missing object is reported as a problem. */
export function backupStatus(
  backup: MlflowBackup,
  state: BackupState,
  installation: Pick<Installation, "gracePeriodSeconds">,
  now: Date,
): { readonly status: MlflowBackupStatus; readonly againInSeconds?: number } {
  const { phase, cause, job, ended, result } = state;
  const { generation = 0 } = backup.metadata;
  const isFinal = phase === "Completed" || phase === "Failed";
  const left = state.isStalled && !isFinal ? graceLeft(backup, [cause.reason], installation, now) : 0;
  const isStalled = state.isStalled && left === 0;
  const { reason, message } = cause;
  const updates: NewCondition[] = [
    { type: "Ready", status: phase === "Completed" ? "True" : "False", reason, message },
    isFinal || isStalled ? notReconciling : { type: "Reconciling", status: "True", reason, message },
    isStalled ? { type: "Stalled", status: "True", reason, message } : notStalled,
    ...(result?.retention === undefined ? [] : [appliedRetention(result.retention)]),
  ];
  const started = job === undefined ? backup.status?.startedAt : job.metadata.creationTimestamp;
  const serverUID = (job && serverUidOf(job)) ?? backup.status?.serverUID;
  const name = job?.metadata.name ?? backup.status?.job;
  const status: MlflowBackupStatus = {
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(backup, now)),
    conditions: conditionsOf(updates, backup.status?.conditions ?? [], generation, now),
    phase,
    ...(name !== undefined && { job: name }),
    ...(serverUID !== undefined && { serverUID }),
    ...(started !== undefined && { startedAt: started }),
    ...(isFinal && ended !== undefined && { completedAt: ended }),
    ...(isFinal && started !== undefined && ended !== undefined && { duration: durationText(started, ended) }),
    ...(phase === "Completed" && { location: locationOf(backup) }),
    ...(result !== undefined && {
      size: sizeText(result.size),
      mlflowVersion: result.mlflowVersion,
      schemaRevision: result.schemaRevision,
    }),
  };
  return { status, ...(left > 0 && { againInSeconds: left }) };
}

/** `1h2m3s`, without parts that are zero. */
function durationText(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 3600), "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const text = parts.flatMap(([count, unit]) => (count > 0 ? [`${count}${unit}`] : [])).join("");
  return text === "" ? "0s" : text;
}

/** `1.2Gi`, as a quantity of Kubernetes, with at most one decimal. */
export function sizeText(bytes: number): string {
  const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : Number(value.toFixed(1))}${units[power]}`;
}
