import type { ReportedEvent } from "../reconcile/cluster.ts";

/** Rate limit of Events: repeated Events are recorded once per period, and the number of Events of an object is limited. */
export interface EventLimit {
  /** Whether the Event can be recorded now. If so, it is counted as recorded. */
  allows(uid: string, event: ReportedEvent): boolean;
}

/** Burst of Events of one object, and the interval at which one more is allowed. */
const burst = 25;
const refillSeconds = 60;
/** The same Event is recorded again only after this time. */
const repeatSeconds = 600;

interface Bucket {
  tokens: number;
  at: number;
  readonly recorded: Map<string, number>;
}

export function eventLimit(now: () => number = () => performance.now() / 1000): EventLimit {
  const buckets = new Map<string, Bucket>();

  /** Removes buckets that are full again. */
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
