import { ApiError } from "../kube/api-error.ts";
import { applyRejection } from "./apply-rejection.ts";
import type { Cause } from "./cause.ts";

/** How often, and for how long, reconciliations of one object have failed. */
export interface Failing {
  readonly attempts: number;
  readonly seconds: number;
}

export const notFailing: Failing = { attempts: 0, seconds: 0 };

/** Failures are reported after this. A shorter outage of the API server is not; in a longer one nothing can be reported. */
const persistent: Failing = { attempts: 4, seconds: 20 };

/**
 * The cause of a failed reconciliation, for the status: immediately if the API server rejects a write, otherwise once failures
 * persist. Undefined for a failure that the next attempt may resolve, and for a lost Lease.
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
  // The error message may contain parts of the spec or of a Secret.
  const name = error instanceof Error ? error.name : "an unknown error";
  return {
    reason: "ReconcileFailed",
    message: `An error within the operator (${name}) stops it from reconciling this server. Its log has the details; please report it.`,
  };
}
