import type { BackoffBounds } from "./backoff.ts";

export interface ListWatchTiming {
  readonly backoff: BackoffBounds;
  /** A watch that is silent for longer is cut and resumed. The API server sends a bookmark about once a minute. */
  readonly idleSeconds: number;
  /** How long the API server is asked to keep a watch open: random between the two, so that watches end apart. */
  readonly watchSeconds: readonly [number, number];
  readonly pageSize: number;
  /** A kind that the cluster had is believed to be gone when the API server still says so after this time. */
  readonly absenceSeconds: number;
  /** A watch that has been rejected for so long (403, say) makes what it keeps uncertain; servers say so. */
  readonly refusedSeconds: number;
  /** So does one that has delivered nothing for so long, not even a bookmark, while others do. */
  readonly staleSeconds: number;
}

export const defaultTiming: ListWatchTiming = {
  backoff: { first: 0.2, longest: 15 },
  idleSeconds: 90,
  watchSeconds: [300, 600],
  pageSize: 500,
  absenceSeconds: 60,
  refusedSeconds: 30,
  staleSeconds: 240,
};
