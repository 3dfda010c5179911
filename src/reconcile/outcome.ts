import type { Deployment, Job, Pod } from "../kube/manifests.ts";
import { objectNames, serviceUrl } from "../resources/names.ts";
import type { Facts } from "./facts.ts";
import { type Cause, combined } from "./finding.ts";
import { withGracePeriod } from "./grace-period.ts";
import type { Migration } from "./migration.ts";
import type { Obstacle } from "./ownership.ts";
import type { Plan } from "./plan.ts";
import { podsOf, rolloutOf } from "./rollout.ts";
import { warningsAgainIn } from "./warnings.ts";
import { jobProblem, podProblem } from "./workload-problem.ts";

/** How a pass ended. */
export interface Outcome {
  /**
   * - `ready`: everything is as the spec says;
   * - `progressing`: it is on its way, and a watch tells when it goes on;
   * - `stalled`: it needs a person.
   */
  readonly state: "ready" | "progressing" | "stalled";
  readonly cause: Cause;
  /** What is known of the database; undefined where the pass did not come to look. */
  readonly migration?: Migration;
  /** Objects have just been written: the next pass, which their events bring about, has more to say. */
  readonly isInterim?: true;
  /** What the caches say may be outdated, so that nobody knows whether the server is ready. */
  readonly isUncertain?: true;
  /** The spec was not read, so nothing of the status follows from it. */
  readonly isUnread?: true;
  /** Seconds after which to look again, where no watch would tell: somebody else's object in our way. */
  readonly againInSeconds?: number;
}

/** Somebody else's object has no label of ours, so no watch of ours tells when it goes. */
const obstacleRetrySeconds = 30;

export function blocked(causes: readonly [Cause, ...Cause[]], facts: Facts): Outcome {
  const outcome = { state: "stalled", cause: combined(causes) } as const;
  return withGracePeriod(
    outcome,
    facts,
    causes.map(({ reason }) => reason),
  );
}

export function obstructed({ passing, reason, message }: Obstacle, migration: Migration): Outcome {
  const cause = { reason, message };
  return { state: passing ? "progressing" : "stalled", cause, migration, againInSeconds: obstacleRetrySeconds };
}

/** The outcome of a pass that could write all it wanted. */
export function outcomeOf(facts: Facts, plan: Plan): Outcome {
  const outcome = withGracePeriod(judged(facts, plan), facts);
  if (outcome.cause.reason !== "Unschedulable" || !isBeingPlaced(facts)) return outcome;
  const cause = { reason: "Progressing", message: "The pods are being scheduled" } as const;
  return { ...outcome, state: "progressing", cause, againInSeconds: placementSeconds };
}

/** So long the scheduler may have no node for a pod: it says so, too, while a volume is being made. */
const placementSeconds = 10;

function isBeingPlaced({ owned, now }: Facts): boolean {
  const born = owned
    .filter((object): object is Pod => object.kind === "Pod")
    .filter(({ status }) => status?.conditions?.some((each) => each.reason === "Unschedulable"))
    .map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ""));
  // Of a time to come the clocks disagree, and nothing is known.
  return born.every((time) => Math.abs(now.getTime() - time) < placementSeconds * 1000);
}

function judged(facts: Facts, plan: Plan): Outcome {
  const outcome = judgedByState(facts, plan);
  const { conflict, migration } = plan;
  if (conflict === undefined || outcome.isInterim) return outcome;
  const { reason, message, seconds } = conflict;
  const againInSeconds = Math.min(seconds, outcome.againInSeconds ?? seconds);
  return { state: "stalled", cause: { reason, message }, migration, againInSeconds };
}

function judgedByState(facts: Facts, { groups, migration, missing }: Plan): Outcome {
  const { owned, server } = facts;
  if (!migration.complete) return unmigrated(facts, migration);
  if (missing !== undefined) return { state: "stalled", cause: missing, migration };
  const deployment = owned.find(
    (object): object is Deployment =>
      object.kind === "Deployment" && object.metadata.name === objectNames.deployment(server.metadata.name),
  );
  if (deployment === undefined || groups.length > 0) {
    const cause = { reason: "Progressing", message: "Pods of the current spec are starting" } as const;
    return { state: "progressing", cause, migration, isInterim: true, againInSeconds: 0.1 };
  }
  const rollout = rolloutOf(deployment, owned, facts);
  if (!rollout.complete) {
    if (!rollout.stalled && isNew(deployment, facts.now)) {
      const cause = { reason: "Progressing", message: "Pods of the current spec are starting" } as const;
      return { state: "progressing", cause, migration, isInterim: true, againInSeconds: 1 };
    }
    const cause = rollout.cause ?? { reason: "Progressing", message: "Pods of the current spec are starting" };
    const state = rollout.stalled ? "stalled" : "progressing";
    return { state, cause, migration, ...againIn(rollout.againInSeconds, warningsAgainIn(owned, facts.now)) };
  }
  return { state: "ready", cause: readyCause(facts), migration };
}

/** What the decision says, or what keeps the Job's pods, where it merely waits for a Job. */
function unmigrated(facts: Facts, decided: Migration): Outcome {
  const { owned, now } = facts;
  const jobs = owned.filter((object): object is Job => object.kind === "Job");
  const pods = podsOf("migration", owned);
  const waits = decided.stalled ? [] : jobs.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const ending = decided.stalled ? [] : pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const problem =
    waits.map((job) => jobProblem(job, pods, facts)).find((each) => each !== undefined) ?? podProblem(ending, facts);
  const migration = problem === undefined ? decided : { ...decided, cause: problem.cause, stalled: problem.stalled };
  const state = migration.stalled ? "stalled" : "progressing";
  const again = againIn(decided.againInSeconds, problem?.againInSeconds, warningsAgainIn(owned, now));
  if (decided.isInterim) return { state, cause: migration.cause, migration, isInterim: true, againInSeconds: 0.1 };
  return { state, cause: migration.cause, migration, ...again };
}

/** The soonest of several times. */
function againIn(...times: readonly (number | undefined)[]): Pick<Outcome, "againInSeconds"> {
  const known = times.filter((seconds) => seconds !== undefined);
  return known.length === 0 ? {} : { againInSeconds: Math.min(...known) };
}

/** Younger than two seconds: pods that start at once are reported as ready, and not first as starting. */
function isNew({ metadata }: Deployment, now: Date): boolean {
  const age = now.getTime() - Date.parse(metadata.creationTimestamp ?? "");
  return age >= 0 && age < 2000;
}

function readyCause({ server }: Facts): Cause {
  const { hibernate, replicas, version } = server.spec;
  if (hibernate === true || replicas === 0) {
    return { reason: "Hibernated", message: "No pods run, as the spec sets. All other resources are kept" };
  }
  const pods = replicas === 1 ? "1 replica" : `${replicas} replicas`;
  return { reason: "Ready", message: `${pods} of MLflow ${version} at ${serviceUrl(server)}` };
}
