import { ApiError } from "../kube/errors.ts";
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

const partlyWritten = new WeakSet<object>();

/** Marks the error of a reconciliation that has made some of its writes, and returns it. */
export function markPartial(error: unknown): unknown {
  if (typeof error === "object" && error !== null) partlyWritten.add(error);
  return error;
}

/** Whether the reconciliation that failed with this error has made some of its writes. */
export function isPartial(error: unknown): boolean {
  return typeof error === "object" && error !== null && partlyWritten.has(error);
}

/** HTTP status codes of requests that the API server rejects, as opposed to temporary failures. */
const rejectionCodes: ReadonlySet<number> = new Set([400, 403, 405, 413, 422]);

/**
 * The cause if the API server rejects a write (a quota, an admission webhook, a missing permission, an invalid value); undefined
 * for other failures, which are retried without a report.
 */
export function applyRejection(error: unknown): Cause | undefined {
  if (!(error instanceof ApiError) || !rejectionCodes.has(error.status)) return undefined;
  return {
    reason: "ApplyRejected",
    message: `The API server rejects an object that the operator applies. Fix the quota, admission policy, permission or value that caused it: ${error.message}`,
  };
}
