import { isDeepStrictEqual } from "node:util";
import type { MlflowBackup } from "../../api/backup.ts";
import type { MlflowServer } from "../../api/server.ts";
import type { Job, Owned } from "../../kube/manifests.ts";
import { isControlledBy, type Key, objectText } from "../../kube/object.ts";
import type { Installation } from "../../model/inputs.ts";
import { backupJob, backupJobName, isExisting } from "../../resources/backup-job.ts";
import { type Cause, combined } from "../cause.ts";
import type { Cluster } from "../cluster.ts";
import { applyRejection } from "../failure-cause.ts";
import { backupEvents } from "../lifecycle-events.ts";
import { isFinished as isJobFinished, isMigrationJob, isRotationJob } from "../migration.ts";
import { observe } from "../observe.ts";
import type { ObservedState } from "../observed-state.ts";
import { otherOperator } from "../other-operator.ts";
import { failedChecks } from "../preflight-checks.ts";
import { isRestoreJob } from "../restored-counts.ts";
import { deploymentOf, isUnfinished, podsOf, versionIn } from "../server-workload.ts";
import { hiddenSeconds, specProblem } from "../spec-problem.ts";
import { backupPrerequisites, unsupportedDatabase } from "./backup-prerequisites.ts";
import { type BackupState, backupStatus, isFinished } from "./backup-state.ts";
import { deletedJob, stateOfJob } from "./observe-job.ts";
import { isOfJob, runningBackups } from "./running-backups.ts";

/** The number of status writes of one pass: other servers wait for its worker. */
const mostReports = 50;

/** Seconds until the next attempt: a conflicting Job, which does not have the operator's label, and other servers are not watched. */
const conflictSeconds = 30;

/** An MlflowBackup and what its reconciliation depends on. */
interface View {
  readonly cluster: Cluster;
  readonly key: Key;
  readonly server: MlflowServer | undefined;
  readonly objects: readonly Owned[];
  readonly now: Date;
  /** Reads the state of the server, at most once. */
  readonly observed: (server: MlflowServer) => Promise<ObservedState>;
}

/** What the backups of one reconciliation have in common. */
interface Pass {
  readonly waits: number[];
  readonly failures: unknown[];
  /** Whether a backup runs, or may run. */
  isAnotherRunning: boolean;
  /** The number of status writes. */
  reports: number;
}

/**
 * Reconciles the backups of one server, one after the other in the order of their creation: creates the Job of the next one, and
 * reports each. Runs after the reconciliation of the server, in the same queue, so two backups of a server never run at the same time.
 * Without unfinished backups it reads and writes nothing. Returns the seconds until the next reconciliation. Throws errors that must be retried.
 */
export async function reconcileBackups(
  cluster: Cluster,
  key: Key,
  installation: Installation,
  now: Date,
): Promise<number | undefined> {
  const backups = cluster
    .backups(key)
    .filter((backup) => !isFinished(backup) && backup.metadata.deletionTimestamp === undefined)
    .toSorted(byCreation);
  const server = cluster.server(key);
  if (backups.length === 0 || (server !== undefined && otherOperator(cluster, server) !== undefined)) return undefined;
  let known: Promise<ObservedState> | undefined;
  const observed = (of: MlflowServer) => {
    known ??= observe(cluster, of, installation, now);
    return known;
  };
  const objects = cluster.backupObjects(key);
  const view: View = { cluster, key, server, objects, now, observed };
  // The pod of an MlflowBackup that was deleted, or that finalizers keep, still uses the databases and the volume.
  const jobs = new Set(backups.map(backupJobName));
  const isAnotherRunning = runningBackups(objects).some((object) => !isOfJob(object, jobs));
  const pass: Pass = { waits: [], failures: [], isAnotherRunning, reports: 0 };
  // One that has a Job is first, regardless of its age.
  for (const backup of backups.toSorted(
    (one, other) => Number(hasStarted(other, view)) - Number(hasStarted(one, view)),
  )) {
    if (pass.reports >= mostReports) {
      pass.waits.push(1);
      break;
    }
    try {
      await reconcileBackup(backup, view, installation, pass);
    } catch (error) {
      // It may have a Job: the response to its creation can be lost.
      pass.isAnotherRunning = true;
      pass.failures.push(error);
    }
  }
  if (pass.failures.length > 0) throw pass.failures[0];
  return pass.waits.length === 0 ? undefined : Math.min(...pass.waits);
}

async function reconcileBackup(
  backup: MlflowBackup,
  view: View,
  installation: Installation,
  pass: Pass,
): Promise<void> {
  const { cluster, now } = view;
  const problem = await specProblem(cluster, "MlflowBackup", backup);
  if (problem?.isHidden === true) {
    pass.waits.push(hiddenSeconds);
    return;
  }
  const state: BackupState =
    problem === undefined
      ? await stateOf(backup, view, pass.isAnotherRunning)
      : { phase: "Pending", isStalled: true, cause: problem.cause };
  pass.isAnotherRunning ||= state.phase === "Running";
  const { status, againInSeconds } = backupStatus(backup, state, installation, now);
  for (const seconds of [againInSeconds, state.againInSeconds]) if (seconds !== undefined) pass.waits.push(seconds);
  if (state.failure !== undefined) pass.failures.push(state.failure);
  if (isDeepStrictEqual(status, backup.status)) return;
  pass.reports += 1;
  await cluster.reportBackup(backup, status);
  for (const event of backupEvents(backup.status, status)) await cluster.recordEvent(backup, event);
}

function byCreation({ metadata: one }: MlflowBackup, { metadata: other }: MlflowBackup): number {
  const text = ({ creationTimestamp = "", name }: typeof one) => `${creationTimestamp} ${name}`;
  return text(one) < text(other) ? -1 : 1;
}

function hasStarted(backup: MlflowBackup, { objects }: View): boolean {
  return backup.status?.phase === "Running" || jobOf(backup, objects) !== undefined;
}

function jobOf(backup: MlflowBackup, objects: readonly Owned[]): Job | undefined {
  const name = backupJobName(backup);
  return objects.find(
    (object): object is Job => object.kind === "Job" && object.metadata.name === name && isControlledBy(object, backup),
  );
}

async function stateOf(backup: MlflowBackup, view: View, isAnotherRunning: boolean): Promise<BackupState> {
  const { cluster, server, key, objects, now } = view;
  const job = jobOf(backup, objects);
  // The content of a Job without a server is not cached.
  if (job !== undefined && job.omitted === undefined) return stateOfJob(backup, job, objects, now);
  if (server === undefined || server.metadata.deletionTimestamp !== undefined) return withoutServer(backup, key);
  if (backup.status?.phase === "Running") {
    const live = await readJob(cluster, backup);
    return live === undefined ? deletedJob(backup) : stateOfJob(backup, live, objects, now);
  }
  const waiting = (message: string): BackupState => ({
    phase: "Pending",
    isStalled: false,
    cause: { reason: "BackupWaiting", message },
  });
  // Without its name: it would change for all that wait whenever one ends.
  if (isAnotherRunning)
    return waiting("Waiting until another MlflowBackup of the same server ends, or the pod of a deleted one.");
  if (server.omitted !== undefined) return serverNotReady(server, undefined);
  if ((await specProblem(cluster, "MlflowServer", server)) !== undefined) return serverNotReady(server, undefined);
  const observed = await view.observed(server);
  const unsupported = isExisting(backup) ? undefined : unsupportedDatabase(observed);
  if (unsupported !== undefined) return { phase: "Pending", isStalled: true, cause: unsupported };
  const missing = await backupPrerequisites(cluster, backup);
  const [first, ...others] = missing;
  // The servers of the namespace are not watched for this backup.
  const again = first?.reason === "BackupDestinationIsServerVolume" ? { againInSeconds: conflictSeconds } : {};
  if (first !== undefined) return { phase: "Pending", isStalled: true, cause: combined([first, ...others]), ...again };
  const [failed] = failedChecks(observed);
  if (failed !== undefined) return serverNotReady(server, failed);
  const migrates = observed.model.migrationMode !== undefined && server.status?.migration?.phase !== "Complete";
  if (server.spec.restore !== undefined && server.status?.restore === undefined && !isExisting(backup))
    return waiting(`Waiting until ${objectText(server)} is restored from its own backup.`);
  if (migrates && !isExisting(backup))
    return waiting(`Waiting until the database of ${objectText(server)} is migrated.`);
  // Pods that are stopped for a change must not wait for a scheduled backup.
  if (server.status?.upgrade?.phase === "StoppingWriters" && backup.spec.schedule !== undefined)
    return waiting(`Waiting until the version of ${objectText(server)} is changed.`);
  const change = databaseChange(observed);
  if (change !== undefined && !isExisting(backup)) return waiting(`Waiting until ${change}.`);
  return start(backup, view, observed);
}

/**
 * What changes the databases now, for "waiting until". While the Job of a rotation encrypts again, rows have either key, and the manifest would have the
 * fingerprint of one.
 */
function databaseChange({ owned, model }: ObservedState): string | undefined {
  const changes = [isMigrationJob, isRestoreJob, isRotationJob];
  const job = owned.find(
    (each) =>
      each.kind === "Job" &&
      changes.some((isOf) => isOf(each)) &&
      !isJobFinished(each, "Complete") &&
      !isJobFinished(each, "Failed"),
  );
  const pod = ["migration", "restore", "rotation"].flatMap((component) => podsOf(component, owned)).find(isUnfinished);
  const found = job ?? pod;
  if (found !== undefined) return `${objectText(found)} ends, which changes the database`;
  const { keys, isGenerated } = model.session;
  const rotated = (["encryption-key", "webhook-key"] as const).find(
    (name) => isGenerated && keys.rotations?.[name]?.phase === "Switching",
  );
  return rotated && `the rotation of ${rotated} has encrypted everything again`;
}

/** Creates the Job. If it exists already, which the cache does not show yet, it is used if it belongs to this backup. */
async function start(
  backup: MlflowBackup,
  { cluster, objects, now }: View,
  observed: ObservedState,
): Promise<BackupState> {
  const deployment = deploymentOf(observed);
  // The version of the pods can be another than that of the spec while a change of the version is held.
  const wanted = backupJob(observed.model, backup, deployment && versionIn(deployment));
  try {
    await cluster.create(wanted);
  } catch (error) {
    const cause = applyRejection(error);
    if (cause === undefined) throw error;
    return { phase: "Pending", isStalled: true, cause, failure: error };
  }
  const live = await readJob(cluster, backup);
  if (live !== undefined) return stateOfJob(backup, live, objects, now);
  const message = `${objectText(wanted)} exists and does not belong to this MlflowBackup, so no backup is written. Delete the Job.`;
  return {
    phase: "Pending",
    isStalled: true,
    cause: { reason: "NameConflict", message },
    againInSeconds: conflictSeconds,
  };
}

/** The Job of a backup, read from the API server, if it belongs to this backup. */
async function readJob(cluster: Cluster, backup: MlflowBackup): Promise<Job | undefined> {
  const { namespace } = backup.metadata;
  const live = await cluster.read({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { namespace, name: backupJobName(backup) },
  });
  return live?.kind === "Job" && isControlledBy(live, backup) ? live : undefined;
}

function withoutServer(backup: MlflowBackup, { name, namespace }: Key): BackupState {
  const hasBegun = backup.status?.phase === "Running";
  const message = hasBegun
    ? `MlflowServer/${name} was deleted while the backup was written, so it is not known whether there is one. Its manifest.json shows it.`
    : `spec.serverRef names MlflowServer/${name}, which does not exist in namespace ${namespace}, so no backup is written. Create it, or create an MlflowBackup with another name in serverRef.`;
  return { phase: hasBegun ? "Failed" : "Pending", isStalled: true, cause: { reason: "ServerNotFound", message } };
}

/** The state of a backup whose server cannot be read. Its pods would need what is missing. */
function serverNotReady(server: MlflowServer, problem: Cause | undefined): BackupState {
  const text =
    problem?.message ?? `See kubectl describe mlflowserver -n ${server.metadata.namespace} ${server.metadata.name}`;
  const message = `The operator cannot use the spec of ${objectText(server)}, so no backup is written: ${text}`;
  const reason = problem?.reason ?? "UnsupportedField";
  return { phase: "Pending", isStalled: true, cause: { reason, message } };
}
