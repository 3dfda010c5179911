import { isApiError } from "../kube/api-error.ts";

/** Bounds of the wait between attempts, in seconds. */
export interface BackoffBounds {
  readonly first: number;
  readonly longest: number;
}

/**
 * Milliseconds to wait after `failures` in a row (1 is the first): full jitter, anything between nothing and the bound
 * that doubles with each failure, so that many clients of an API server that comes back do not come at once. Never
 * less than what the API server asked for by Retry-After.
 */
export function backoffMilliseconds(
  failures: number,
  bounds: BackoffBounds,
  retryAfterSeconds = 0,
  random: () => number = Math.random,
): number {
  const bound = Math.min(bounds.longest, bounds.first * 2 ** Math.max(0, failures - 1));
  return Math.max(random() * bound, retryAfterSeconds) * 1000;
}

/** Seconds after which an API server that is overloaded may be asked again; undefined for what else can go wrong. */
export function overloadSeconds(error: unknown): number | undefined {
  return isApiError(error, 429) ? Math.max(4, error.retryAfterSeconds ?? 0) : undefined;
}
