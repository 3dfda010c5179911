import { ApiError, isApiError } from "../errors.ts";

/** Bounds of the delay between attempts, in seconds. */
export interface BackoffBounds {
  readonly first: number;
  readonly longest: number;
}

/** The longest delay of a timer: `setTimeout` runs a longer one immediately. */
const longestMilliseconds = 2 ** 31 - 1;

/** The delay for NaN: a minute is better than a hot loop. */
const unknownMilliseconds = 60_000;

/** Returns milliseconds for a timer: never negative, never more than a timer accepts. */
export function timerMilliseconds(seconds: number): number {
  if (Number.isNaN(seconds)) return unknownMilliseconds;
  return Math.min(Math.max(seconds * 1000, 0), longestMilliseconds);
}

/** Adds up to a tenth, at most 5 s, so that delays that start together do not end together. */
export function jittered(seconds: number, random: () => number = Math.random): number {
  return seconds + random() * Math.min(seconds / 10, 5);
}

/**
 * Returns the milliseconds to wait after `failures` consecutive failures (1 is the first), with full jitter: between zero and a bound
 * that doubles with each failure, so that many clients do not reconnect to a recovered API server at the same time. Never
 * less than the Retry-After of the API server, which is bounded when it is read.
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

/** Minimum and maximum delay after work that failed with an error, in seconds. */
export interface RetryBounds {
  /** From the Retry-After of the API server. */
  readonly least: number;
  /** Undefined: the default of the queue. */
  readonly longest?: number;
}

/** An overloaded API server is tried again after a few seconds: its Retry-After extends the delay if needed. */
const overloadSeconds = 4;

export function retryBounds(error: unknown): RetryBounds {
  const least = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;
  return isApiError(error, 429) ? { least, longest: Math.max(overloadSeconds, least) } : { least };
}

/** Whether the API server could not be reached or could not serve the request, so that the error is unrelated to the request. */
export function isOutage(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}
