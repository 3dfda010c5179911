import type { Notice } from "../reconcile/cluster.ts";

/** Keeps Events few: the same one is recorded once in a while, and a server gets only so many in a time. */
export interface EventLimit {
  /** Whether this Event may be recorded now; it counts as recorded then. */
  allows(uid: string, notice: Notice): boolean;
}

/** Events of one server that may be recorded at once, and how long until one more may be. */
const burst = 25;
const refillSeconds = 60;
/** For so long the same Event is not recorded again. */
const repeatSeconds = 600;

interface Bucket {
  tokens: number;
  at: number;
  readonly recorded: Map<string, number>;
}

export function eventLimit(now: () => number = () => performance.now() / 1000): EventLimit {
  const buckets = new Map<string, Bucket>();

  /** A bucket that is full again, with nothing to remember, is as none. */
  function sweep(): void {
    for (const [uid, { at }] of buckets) if (now() - at > burst * refillSeconds) buckets.delete(uid);
  }

  return {
    allows: (uid, { type, reason, message }) => {
      const bucket = buckets.get(uid) ?? { tokens: burst, at: now(), recorded: new Map<string, number>() };
      bucket.tokens = Math.min(burst, bucket.tokens + (now() - bucket.at) / refillSeconds);
      bucket.at = now();
      buckets.set(uid, bucket);
      if (buckets.size > 1000) sweep();
      for (const [key, at] of bucket.recorded) if (now() - at > repeatSeconds) bucket.recorded.delete(key);
      const key = `${type} ${reason} ${message}`;
      const isRepeated = type === "Warning" && bucket.recorded.has(key);
      if (isRepeated || bucket.tokens < 1) return false;
      bucket.tokens -= 1;
      bucket.recorded.set(key, now());
      return true;
    },
  };
}
