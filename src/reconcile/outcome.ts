import type { RestoreRecord } from "../api/status.ts";
import type { Deployment, Job, Pod } from "../kube/manifests.ts";
import { serviceUrl } from "../model/names.ts";
import { replicasOf } from "../model/replicas.ts";
import { type Cause, combined } from "./cause.ts";
import { withGracePeriod } from "./grace-period.ts";
import { isMigrationJob, type Migration } from "./migration.ts";
import type { ObservedState } from "./observed-state.ts";
import type { NamingConflict } from "./ownership.ts";
import type { Plan } from "./plan.ts";
import { rolloutOf } from "./rollout.ts";
import { deploymentOf, podsOf, servingDeployments } from "./server-workload.ts";
import type { VersionProgress } from "./version-change.ts";
import { warningsAgainIn } from "./warnings.ts";
import { jobProblem, podProblem } from "./workload-problem.ts";

/** The result of a reconciliation. */
export interface Outcome {
  /**
   * - `ready`: all objects match the spec;
   * - `progressing`: it continues with a watch event;
   * - `stalled`: it needs a change by a user.
   */
  readonly state: "ready" | "progressing" | "stalled";
  readonly cause: Cause;
  /** The state of the migration; undefined if it was not checked. */
  readonly migration?: Migration;
  /** Why the pods keep the template of a previous version of the operator. */
  readonly upgrade?: Cause;
  /** What has been restored, or why nothing is restored yet. */
  readonly restore?: { readonly record?: RestoreRecord | undefined; readonly cause?: Cause | undefined };
  /** The change of the version or the image that is in progress. */
  readonly change?: VersionProgress;
  /** Objects have just been written: their events trigger the next reconciliation, which reports more. */
  readonly isInterim?: true;
  /** The caches may be outdated, so it is unknown whether the server is ready. */
  readonly isUncertain?: true;
  /** The spec was not evaluated, so status fields that depend on it stay. */
  readonly isUnread?: true;
  /** Seconds until the next reconciliation, if no watch event triggers it, as with an unmanaged object. */
  readonly againInSeconds?: number;
}

/** Unmanaged objects are not watched, so a conflict is checked again after this time. */
const conflictRetrySeconds = 30;

export function blocked(causes: readonly [Cause, ...Cause[]], observed: ObservedState): Outcome {
  const outcome = { state: "stalled", cause: combined(causes) } as const;
  return withGracePeriod(
    outcome,
    observed,
    causes.map(({ reason }) => reason),
  );
}

export function waitingForName({ isTerminating, reason, message }: NamingConflict, migration: Migration): Outcome {
  const cause = { reason, message };
  return { state: isTerminating ? "progressing" : "stalled", cause, migration, againInSeconds: conflictRetrySeconds };
}

/** The outcome of a reconciliation that has executed its plan. */
export function outcomeOf(observed: ObservedState, plan: Plan): Outcome {
  const found = withGracePeriod(outcomeWithConflict(observed, plan), observed);
  const outcome = { ...found, ...againIn(found.againInSeconds, observed.rotation?.againInSeconds) };
  if (outcome.cause.reason !== "Unschedulable" || !isBeingScheduled(observed)) return outcome;
  const cause = { reason: "Progressing", message: "The pods are being scheduled" } as const;
  return { ...outcome, state: "progressing", cause, againInSeconds: schedulingSeconds };
}

/** Seconds in which a pod may be unschedulable: the scheduler also reports that while a volume is being provisioned. */
const schedulingSeconds = 10;

function isBeingScheduled({ owned, now }: ObservedState): boolean {
  const born = owned
    .filter((object): object is Pod => object.kind === "Pod")
    .filter(({ status }) => status?.conditions?.some((each) => each.reason === "Unschedulable"))
    .map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ""));
  // A time in the future means different clocks, so it is ignored.
  return born.every((time) => Math.abs(now.getTime() - time) < schedulingSeconds * 1000);
}

function outcomeWithConflict(observed: ObservedState, plan: Plan): Outcome {
  const { upgrade } = plan;
  const state = outcomeByState(observed, plan);
  const outcome = {
    ...state,
    ...(plan.change && { change: plan.change }),
    ...(plan.restore && { restore: { record: plan.restore.record, cause: plan.restore.hold?.cause } }),
    ...(upgrade && { upgrade: upgrade.cause, ...againIn(upgrade.againInSeconds, state.againInSeconds) }),
  };
  const { conflict, migration } = plan;
  if (conflict === undefined || outcome.isInterim) return outcome;
  const { reason, message, seconds } = conflict;
  const againInSeconds = Math.min(seconds, outcome.againInSeconds ?? seconds);
  const waiting = {
    ...(outcome.restore && { restore: outcome.restore }),
    ...(outcome.upgrade && { upgrade: outcome.upgrade }),
    ...(plan.change && { change: plan.change }),
  };
  return { state: "stalled", cause: { reason, message }, migration, againInSeconds, ...waiting };
}

function outcomeByState(observed: ObservedState, { groups, migration, missing, restore, ...plan }: Plan): Outcome {
  const { owned } = observed;
  const hold = restore?.hold ?? plan.hold;
  if (hold !== undefined) {
    const { state, cause, againInSeconds } = hold;
    // What is reported of the database and the migration stays: nothing has been changed yet.
    return { state, cause, ...againIn(againInSeconds, warningsAgainIn(owned, observed.now)) };
  }
  if (!migration.complete) return migrationOutcome(observed, migration);
  if (missing !== undefined) {
    const state = missing.reason === "Progressing" ? "progressing" : "stalled";
    return { state, cause: missing, migration };
  }
  if (deploymentOf(observed) === undefined || groups.length > 0) {
    const cause = { reason: "Progressing", message: "Pods of the current spec are starting" } as const;
    return { state: "progressing", cause, migration, isInterim: true, againInSeconds: 0.1 };
  }
  const pending = servingDeployments(observed)
    .map((each) => ({ each, rollout: rolloutOf(each, owned, observed) }))
    .find(({ rollout }) => !rollout.complete);
  if (pending !== undefined) {
    const { each, rollout } = pending;
    if (!rollout.stalled && isNew(each, observed.now)) {
      const cause = { reason: "Progressing", message: "Pods of the current spec are starting" } as const;
      return { state: "progressing", cause, migration, isInterim: true, againInSeconds: 1 };
    }
    const cause = rollout.cause ?? { reason: "Progressing", message: "Pods of the current spec are starting" };
    const state = rollout.stalled ? "stalled" : "progressing";
    return { state, cause, migration, ...againIn(rollout.againInSeconds, warningsAgainIn(owned, observed.now)) };
  }
  return { state: "ready", cause: readyCause(observed), migration };
}

/** The outcome of an incomplete migration: its decision, or the problem of the Job's pods. */
function migrationOutcome(observed: ObservedState, decided: Migration): Outcome {
  const { owned, now } = observed;
  const jobs = owned.filter(isMigrationJob);
  const pods = podsOf("migration", owned);
  // A Job that this reconciliation deletes shows nothing about the current spec.
  const isKept = (job: Job) => job.metadata.deletionTimestamp === undefined && !decided.remove.includes(job);
  const waits = decided.stalled ? [] : jobs.filter(isKept);
  const ending = decided.stalled ? [] : pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const problem =
    waits.map((job) => jobProblem(job, pods, observed)).find((each) => each !== undefined) ??
    podProblem(ending, observed);
  const migration = problem === undefined ? decided : { ...decided, cause: problem.cause, stalled: problem.stalled };
  const state = migration.stalled ? "stalled" : "progressing";
  const again = againIn(decided.againInSeconds, problem?.againInSeconds, warningsAgainIn(owned, now));
  if (decided.isInterim) return { state, cause: migration.cause, migration, isInterim: true, againInSeconds: 0.1 };
  return { state, cause: migration.cause, migration, ...again };
}

/** The earliest of several times. */
function againIn(...times: readonly (number | undefined)[]): Pick<Outcome, "againInSeconds"> {
  const known = times.filter((seconds) => seconds !== undefined);
  return known.length === 0 ? {} : { againInSeconds: Math.min(...known) };
}

/** Whether a Deployment is younger than two seconds: pods that start immediately are reported as ready, without a state before. */
function isNew({ metadata }: Deployment, now: Date): boolean {
  const age = now.getTime() - Date.parse(metadata.creationTimestamp ?? "");
  return age >= 0 && age < 2000;
}

function readyCause({ server }: ObservedState): Cause {
  const replicas = replicasOf(server.spec);
  if (replicas === 0) {
    return { reason: "Hibernated", message: "No pods run, as the spec sets. All other resources are kept" };
  }
  const pods = replicas === 1 ? "1 replica" : `${replicas} replicas`;
  const { replicas: ofArtifacts = 1 } = server.spec.artifactServer ?? { replicas: 0 };
  const further = ofArtifacts === 0 ? "" : `, and ${ofArtifacts} for artifacts,`;
  return { reason: "Ready", message: `${pods}${further} of MLflow ${server.spec.version} at ${serviceUrl(server)}` };
}
