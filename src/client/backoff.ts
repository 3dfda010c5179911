import { ApiError, isApiError } from "../kube/api-error.ts";

/** Bounds of the wait between attempts, in seconds. */
export interface BackoffBounds {
  readonly first: number;
  readonly longest: number;
}

/** The longest wait that a timer takes: `setTimeout` ends a longer one at once. */
const longestMilliseconds = 2 ** 31 - 1;

/** What a timer gets for a number of seconds that is not a number: a hot loop is worse than a minute. */
const unknownMilliseconds = 60_000;

/** Seconds as milliseconds for a timer: never negative, never more than a timer takes. */
export function timerMilliseconds(seconds: number): number {
  if (Number.isNaN(seconds)) return unknownMilliseconds;
  return Math.min(Math.max(seconds * 1000, 0), longestMilliseconds);
}

/** Up to a tenth longer, but no more than 5 s, so that waits that began together do not end together. */
export function jittered(seconds: number, random: () => number = Math.random): number {
  return seconds + random() * Math.min(seconds / 10, 5);
}

/**
 * Milliseconds to wait after `failures` in a row (1 is the first): full jitter, anything between nothing and the bound
 * that doubles with each failure, so that many clients of an API server that comes back do not come at once. Never
 * less than what the API server asked for by Retry-After, which is bounded where it is read.
 */
export function backoffMilliseconds(
  failures: number,
  bounds: BackoffBounds,
  retryAfterSeconds = 0,
  random: () => number = Math.random,
): number {
  const bound = Math.min(bounds.longest, bounds.first * 2 ** Math.max(0, failures - 1));
  return timerMilliseconds(Math.max(random() * bound, jittered(retryAfterSeconds, random)));
}

/** How long to wait at least, and at most, after work that failed with an error, in seconds. */
export interface RetryBounds {
  /** What the API server asked for by Retry-After. */
  readonly least: number;
  /** Undefined: as long as after any other error. */
  readonly longest?: number;
}

/** An overloaded API server is asked again after a few seconds: it says when it is not ready yet. */
const overloadSeconds = 4;

export function retryBounds(error: unknown): RetryBounds {
  const least = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;
  return isApiError(error, 429) ? { least, longest: Math.max(overloadSeconds, least) } : { least };
}

/** Whether an error says nothing of what was asked for: the API server could not be reached, or could not serve just then. */
export function isOutage(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}
