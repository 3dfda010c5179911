import type { MlflowServer } from "../api/server.ts";
import type { Kind } from "../kube/kinds.ts";
import type { Key } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
import type { Cause } from "./cause.ts";
import type { Cluster } from "./cluster.ts";
import { commit } from "./commit.ts";
import { isPaused } from "./conditions/paused.ts";
import { type Failing, failureCause, notFailing } from "./failure-cause.ts";
import { finalize } from "./finalize.ts";
import { type Migration, withoutCreation } from "./migration.ts";
import { observe } from "./observe.ts";
import type { ObservedState } from "./observed-state.ts";
import { otherOperator } from "./other-operator.ts";
import { blocked, type Outcome, outcomeOf, waitingForName } from "./outcome.ts";
import { tooLarge } from "./oversized.ts";
import { ownershipOf } from "./ownership.ts";
import { pausedOutcome } from "./paused-outcome.ts";
import { type Plan, planOf } from "./plan.ts";
import { failedChecks } from "./preflight-checks.ts";
import { listenerDeletions } from "./prune-steps.ts";
import { hiddenSeconds, type SpecProblem, specProblem } from "./spec-problem.ts";
import { report } from "./status.ts";
import { unconfirmedKind } from "./unconfirmed-kind.ts";
import { reportWatchProblem, withWatchProblem } from "./watch-problem.ts";

/** The result of the reconciliation of an existing server. */
export interface ReconcileResult extends Pick<Outcome, "state" | "cause" | "isInterim" | "againInSeconds"> {}

/**
 * Reconciles one server: reads, decides, writes, reports once. Returns undefined if it does not exist or is being deleted,
 * and throws errors that must be retried.
 */
export async function reconcile(
  cluster: Cluster,
  key: Key,
  installation: Installation,
  now: Date,
  failing: Failing = notFailing,
): Promise<ReconcileResult | undefined> {
  const server = cluster.server(key);
  const other = server && otherOperator(cluster, server);
  if (server !== undefined && other !== undefined) {
    await cluster.recordEvent(server, { type: "Warning", action: "Reconcile", ...other });
    return { state: "stalled", cause: other };
  }
  if (server === undefined || server.metadata.deletionTimestamp !== undefined) {
    // The garbage collector deletes all other objects by their owner references.
    await finalize(cluster, key, server, installation, now, failing);
    return undefined;
  }
  const unread = { server, owned: cluster.owned(key), now };
  const reportUnread = (cause: Cause) => report(cluster, unread, { state: "stalled", cause, isUnread: true });
  if (server.omitted !== undefined)
    return rejectSpec(cluster, server, { cause: tooLarge(server), isHidden: false }, now);
  const problem = await reporting(() => specProblem(cluster, "MlflowServer", server), failing, reportUnread);
  if (problem !== undefined) return rejectSpec(cluster, server, problem, now);
  const unconfirmed = unconfirmedKind(cluster, server);
  if (unconfirmed !== undefined) return awaitingConfirmation(unconfirmed);
  const observed = await reporting(() => observe(cluster, server, installation, now), failing, reportUnread);
  const outcome = withWatchProblem(
    await decideAndApply(cluster, server, observed, failing),
    cluster.watchProblem(server),
  );
  if (!outcome.isInterim) await report(cluster, observed, outcome);
  return outcome;
}

/** Runs a part of a reconciliation. Reports the cause of a failure, if there is one, and throws the error. */
async function reporting<T>(
  part: () => Promise<T>,
  failing: Failing,
  reportCause: (cause: Cause) => Promise<void>,
): Promise<T> {
  try {
    return await part();
  } catch (error) {
    const cause = failureCause(error, failing);
    // If the report fails too, the first failure matters.
    if (cause !== undefined) await reportCause(cause).catch(() => undefined);
    throw error;
  }
}

/** Reports why the spec must not be applied, and writes nothing else: only an event if a status update would lose fields. */
async function rejectSpec(
  cluster: Cluster,
  server: MlflowServer,
  { cause, isHidden }: SpecProblem,
  now: Date,
): Promise<Outcome> {
  const { namespace, name } = server.metadata;
  const again = isHidden ? { againInSeconds: hiddenSeconds } : {};
  const outcome: Outcome = { state: "stalled", cause, isUnread: true, ...again };
  if (isHidden) await cluster.recordEvent(server, { type: "Warning", action: "Reconcile", ...cause });
  else await report(cluster, { server, owned: cluster.owned({ namespace, name }), now }, outcome);
  return outcome;
}

/** Reports a watch problem of a server before the caches have synced, and does nothing else. */
export async function reconcileUnsynced(cluster: Cluster, key: Key, now: Date): Promise<undefined> {
  const server = cluster.server(key);
  const isManaged = server !== undefined && otherOperator(cluster, server) === undefined;
  const problem = isManaged ? cluster.watchProblem(server) : undefined;
  if (server !== undefined && problem !== undefined) await reportWatchProblem(cluster, server, problem, now);
}

/** The maximum time until the next reconciliation, if no watch event triggers it before.  */
const confirmationSeconds = 15;

function awaitingConfirmation(kind: Kind): ReconcileResult {
  const message = `The API server reports that the cluster does not have the kind ${kind}. Nothing is changed until this is confirmed`;
  const cause = { reason: "Progressing", message } as const;
  return { state: "progressing", cause, isInterim: true, againInSeconds: confirmationSeconds };
}

async function decideAndApply(
  cluster: Cluster,
  server: MlflowServer,
  observed: ObservedState,
  failing: Failing,
): Promise<Outcome> {
  const decide = async () => {
    if (isPaused(server)) return pausedOutcome(observed);
    const deletions = listenerDeletions(observed);
    if (deletions.length > 0) await commit(cluster, server, { groups: [deletions] });
    const [failed, ...others] = failedChecks(observed);
    return failed === undefined ? planOf(observed) : blocked([failed, ...others], observed);
  };
  const plan = await reporting(decide, failing, (cause) => report(cluster, observed, { state: "stalled", cause }));
  if ("state" in plan) return plan;
  const migrationNow = (cause: Cause) => migrationAfterWrites(cluster, server, plan.migration, cause);
  const executePlan = async () => {
    const namingConflict = plan.namingConflict ?? (await commit(cluster, server, plan)) ?? plan.waiting;
    if (namingConflict !== undefined)
      return { ...waitingForName(namingConflict, migrationNow(namingConflict)), ...changeIn(plan) };
    return outcomeOf(
      observed,
      plan.conflict === undefined ? plan : { ...plan, migration: migrationNow(plan.conflict) },
    );
  };
  return reporting(executePlan, failing, (cause) =>
    report(cluster, observed, { state: "stalled", cause, migration: migrationNow(cause), ...changeIn(plan) }),
  );
}

function changeIn({ change }: Plan): Pick<Outcome, "change"> {
  return change === undefined ? {} : { change };
}

/** Returns the migration to report if not all objects could be written: as started only if its Job exists. */
function migrationAfterWrites(
  cluster: Cluster,
  server: MlflowServer,
  migration: Migration,
  { reason, message }: Cause,
): Migration {
  const { create } = migration;
  if (create === undefined) return migration;
  const { namespace, name } = server.metadata;
  const key = { namespace, name };
  const isCreated = cluster
    .owned(key)
    .some(
      (each) =>
        each.kind === "Job" && each.metadata.name === create.metadata.name && ownershipOf(each, server) === "owned",
    );
  return isCreated
    ? migration
    : withoutCreation(migration, cluster.server(key)?.status?.migration, { reason, message });
}
