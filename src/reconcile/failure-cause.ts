import { ApiError } from "../kube/api-error.ts";
import { applyRejection } from "./apply-rejection.ts";
import type { Cause } from "./finding.ts";

/** For how long, and how often, passes over one object have failed. */
export interface Failing {
  readonly attempts: number;
  readonly seconds: number;
}

export const notFailing: Failing = { attempts: 0, seconds: 0 };

/** An outage of the API server is over before that, or nothing can be reported anyway. */
const persistent: Failing = { attempts: 4, seconds: 20 };

/**
 * Why a pass failed, as a cause for the status: at once where the API server rejects what the operator writes, and whatever
 * the code where it goes on. Undefined for what may be over at the next attempt, and where the Lease has been lost.
 */
export function failureCause(error: unknown, { attempts, seconds }: Failing): Cause | undefined {
  const cause = applyRejection(error);
  if (cause !== undefined) return cause;
  if (attempts < persistent.attempts || seconds < persistent.seconds) return undefined;
  if (error instanceof ApiError) {
    if (error.reason === "LeaseExpired") return undefined;
    return {
      reason: "ReconcileFailed",
      message: `A request of the operator to the API server fails repeatedly: ${error.message}. The operator retries it. Check the API server, its admission webhooks and the object that the path names.`,
    };
  }
  // What it says may quote the spec or a Secret.
  const name = error instanceof Error ? error.name : "an unknown error";
  return {
    reason: "ReconcileFailed",
    message: `An error within the operator (${name}) stops it from reconciling this server. Its log has the details; please report it.`,
  };
}
