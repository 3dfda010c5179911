import type { MlflowServer } from "../api/server.ts";
import type { Kind } from "../kube/kinds.ts";
import type { Key } from "../kube/object.ts";
import type { Installation } from "../resources/inputs.ts";
import { blockersOf } from "./blockers.ts";
import type { Cluster } from "./cluster.ts";
import { commit } from "./commit.ts";
import type { Facts } from "./facts.ts";
import type { Cause } from "./finding.ts";
import { observe } from "./observe.ts";
import { blocked, type Outcome, obstructed, outcomeOf } from "./outcome.ts";
import { planOf, shutting } from "./plan.ts";
import { refusal } from "./refusal.ts";
import { report } from "./report.ts";
import { retire } from "./retire.ts";
import { unconfirmedKind } from "./unconfirmed-kind.ts";
import { unsupportedSpec } from "./unsupported-spec.ts";

/** How a pass over an existing server ended. */
export interface Pass extends Pick<Outcome, "state" | "cause" | "isInterim" | "againInSeconds"> {}

/**
 * One pass over one server: read everything, decide, write, report once. Returns undefined where there is none (any
 * more) or it is being deleted, and throws what shall be tried again.
 */
export async function reconcile(
  cluster: Cluster,
  key: Key,
  installation: Installation,
  now: Date,
): Promise<Pass | undefined> {
  const server = cluster.server(key);
  if (server === undefined || server.metadata.deletionTimestamp !== undefined) {
    // Owner references release all else that goes with a server.
    await retire(cluster, key, server, installation, now);
    return undefined;
  }
  const unsupported = unsupportedSpec("MlflowServer", server.spec);
  if (unsupported !== undefined) return stop(cluster, server, unsupported, now);
  const unconfirmed = unconfirmedKind(cluster, server);
  if (unconfirmed !== undefined) return awaitingConfirmation(unconfirmed);
  const facts = await observe(cluster, server, installation, now);
  const outcome = await settle(cluster, server, facts);
  if (!outcome.isInterim) await report(cluster, facts, outcome);
  return outcome;
}

/** Reports why nothing may be read from the spec, and writes nothing else. */
async function stop(cluster: Cluster, server: MlflowServer, cause: Cause, now: Date): Promise<Outcome> {
  const { namespace = "default", name } = server.metadata;
  const outcome: Outcome = { state: "stalled", cause, isUnread: true };
  await report(cluster, { server, owned: cluster.owned({ namespace, name }), now }, outcome);
  return outcome;
}

/** How long at most until the server is looked at again, where the watch does not tell before. */
const confirmationSeconds = 15;

function awaitingConfirmation(kind: Kind): Pass {
  const message = `the API server has just answered that the cluster has no ${kind}; nothing is changed until that is confirmed`;
  const cause = { reason: "Progressing", message } as const;
  return { state: "progressing", cause, isInterim: true, againInSeconds: confirmationSeconds };
}

async function settle(cluster: Cluster, server: MlflowServer, facts: Facts): Promise<Outcome> {
  const shut = shutting(facts);
  if (shut.length > 0) await commit(cluster, server, { groups: [shut] });
  const [blocker, ...others] = blockersOf(facts);
  if (blocker !== undefined) return blocked([blocker, ...others], facts);
  const plan = planOf(facts);
  try {
    const obstacle = plan.obstacle ?? (await commit(cluster, server, plan)) ?? plan.waiting;
    return obstacle === undefined ? outcomeOf(facts, plan) : obstructed(obstacle, plan.migration);
  } catch (error) {
    const cause = refusal(error);
    if (cause === undefined) throw error;
    await report(cluster, facts, { state: "stalled", cause, migration: plan.migration });
    throw error;
  }
}
