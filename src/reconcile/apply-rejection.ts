import { ApiError } from "../kube/api-error.ts";
import type { Cause } from "./finding.ts";

/** HTTP codes by which the API server refuses what is asked, as opposed to being unable to do it just now. */
const rejectionCodes: ReadonlySet<number> = new Set([400, 403, 405, 413, 422]);

/**
 * What the API server refuses to let us write (a quota, an admission webhook, a missing right, an invalid value), as a
 * cause for the status; undefined for anything that merely failed and is tried again without a word.
 */
export function applyRejection(error: unknown): Cause | undefined {
  if (!(error instanceof ApiError) || !rejectionCodes.has(error.status)) return undefined;
  return {
    reason: "ApplyRejected",
    message: `The API server rejects an object that the operator applies. Fix the quota, admission policy, permission or value that caused it: ${error.message}`,
  };
}
