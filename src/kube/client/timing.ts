import type { BackoffBounds } from "./backoff.ts";

export interface ListWatchTiming {
  readonly backoff: BackoffBounds;
  /** A watch without data for longer is closed and resumed. The API server sends a bookmark about once a minute. */
  readonly idleSeconds: number;
  /** Range of the random timeout of watches, so that they do not end together. */
  readonly watchSeconds: readonly [number, number];
  readonly pageSize: number;
  /** A kind counts as removed if the API server still returns 404 after this time. */
  readonly absenceSeconds: number;
  /** A cache is stale if its watch has been rejected (for example with 403) for this time; servers report it. */
  readonly rejectedSeconds: number;
  /** A cache is stale if its watch has delivered nothing for this time, not even a bookmark, while others have. */
  readonly staleSeconds: number;
}

export const defaultTiming: ListWatchTiming = {
  backoff: { first: 0.2, longest: 15 },
  idleSeconds: 90,
  watchSeconds: [300, 600],
  pageSize: 500,
  absenceSeconds: 60,
  rejectedSeconds: 30,
  staleSeconds: 240,
};
