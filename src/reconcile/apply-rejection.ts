import { ApiError } from "../kube/api-error.ts";
import type { Cause } from "./cause.ts";

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
