import { jittered, type RetryBounds, timerMilliseconds } from "./backoff.ts";

/** The number of consecutive failures of a key, and the time since the first. */
interface Failing {
  readonly attempts: number;
  readonly seconds: number;
}

/** A work queue of keys. A key is processed once at a time; if it is added meanwhile, it is processed once again afterwards. */
export interface Queue {
  /** Enqueues a key. */
  add(key: string): void;
  /** The API server is available again: keys whose last attempt failed because of an outage are retried within seconds. */
  recovered(): void;
  /** Number of keys that are ready to be processed, without delayed ones. */
  readonly waiting: number;
  /** Running time of the oldest key in seconds; 0 if none is processed. */
  readonly longestRunningSeconds: number;
  /** Processes no further keys. Resolves when running work has ended. */
  stop(): Promise<void>;
}

export interface QueueOptions {
  /** Number of keys that are processed concurrently. */
  readonly workers: number;
  /**
   * Processes a key. Resolves to the seconds after which to requeue it, or to undefined. A rejection is retried; `failing`
   * contains the number and duration of consecutive failures.
   */
  readonly work: (key: string, failing: Failing) => Promise<number | undefined>;
  /** Whether rejected work made progress: then the delay does not grow. */
  readonly madeProgress?: (error: unknown) => boolean;
  /** Minimum and maximum delay after a rejection. */
  readonly retryBoundsOf?: (error: unknown) => RetryBounds;
  /** Whether a rejection is an outage of the API server. */
  readonly isOutage?: (error: unknown) => boolean;
  /** Called after a rejection, with the seconds until the next attempt. */
  readonly onFailure: (key: string, error: unknown, retrySeconds: number) => void;
  /** Minimum time between two starts of the same key, so that a burst of events is processed once. */
  readonly spacingMilliseconds?: number;
  readonly backoff?: { readonly firstSeconds: number; readonly longestSeconds: number };
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

/** Retries after an outage are spread over this time. */
const recoverySeconds = 2;

export function queue({
  workers,
  work,
  madeProgress = () => false,
  retryBoundsOf = () => ({ least: 0 }),
  isOutage = () => false,
  onFailure,
  spacingMilliseconds = 50,
  backoff = { firstSeconds: 0.25, longestSeconds: 60 },
  random = Math.random,
}: QueueOptions): Queue {
  const ready = new Set<string>();
  const active = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const timers = new Map<string, NodeJS.Timeout>();
  const failures = new Map<string, number>();
  /** Number of consecutive failed attempts, and time of the first. */
  const failing = new Map<string, { attempts: number; since: number }>();
  /** Keys whose last attempt failed because of an outage. */
  const failedInOutage = new Set<string>();
  const lastStart = new Map<string, number>();
  let stopped = false;

  function add(key: string): void {
    if (stopped) return;
    const wait = (lastStart.get(key) ?? 0) + spacingMilliseconds - performance.now();
    if (active.has(key)) again.add(key);
    else if (wait > 0) later(key, wait / 1000);
    else {
      ready.add(key);
      pump();
    }
  }

  /** Only the earliest of several times is used: one attempt covers all reasons. */
  function later(key: string, seconds: number): void {
    const due = performance.now() + seconds * 1000;
    const timer = timers.get(key);
    if (stopped || (timer !== undefined && (dueTimes.get(timer) ?? 0) <= due)) return;
    clearTimeout(timer);
    const next = setTimeout(() => {
      timers.delete(key);
      if (active.has(key)) again.add(key);
      else ready.add(key);
      pump();
    }, timerMilliseconds(seconds));
    dueTimes.set(next, due);
    timers.set(key, next);
  }
  const dueTimes = new WeakMap<NodeJS.Timeout, number>();

  function pump(): void {
    for (const key of ready) {
      if (stopped || active.size >= workers) return;
      ready.delete(key);
      clearTimeout(timers.get(key));
      timers.delete(key);
      lastStart.set(key, performance.now());
      active.set(key, run(key));
    }
  }

  async function run(key: string): Promise<void> {
    try {
      const { attempts = 0, since = performance.now() } = failing.get(key) ?? {};
      const seconds = await work(key, { attempts, seconds: (performance.now() - since) / 1000 });
      failures.delete(key);
      failing.delete(key);
      failedInOutage.delete(key);
      if (seconds !== undefined) later(key, jittered(seconds, random));
      else if (!again.has(key)) forgetLater(key);
    } catch (error) {
      const count = failures.get(key) ?? 0;
      failures.set(key, madeProgress(error) ? count : count + 1);
      const { attempts = 0, since = performance.now() } = failing.get(key) ?? {};
      failing.set(key, { attempts: attempts + 1, since });
      if (isOutage(error)) failedInOutage.add(key);
      else failedInOutage.delete(key);
      const { least, longest = backoff.longestSeconds } = retryBoundsOf(error);
      // Between half and the whole of it, so that keys that failed together are not retried together.
      const bound = Math.min(backoff.firstSeconds * 2 ** count, longest) * (0.5 + random() / 2);
      const seconds = Math.max(bound, jittered(least, random));
      onFailure(key, error, seconds);
      later(key, seconds);
    } finally {
      active.delete(key);
      if (again.delete(key)) add(key);
      pump();
    }
  }

  /** The time of the last start is needed only briefly; removed keys must not stay in memory. */
  function forgetLater(key: string): void {
    setTimeout(() => {
      if (!active.has(key) && !timers.has(key)) lastStart.delete(key);
    }, spacingMilliseconds).unref();
  }

  return {
    add,
    recovered: () => {
      for (const key of failedInOutage) later(key, random() * recoverySeconds);
      failedInOutage.clear();
    },
    get waiting() {
      return ready.size;
    },
    get longestRunningSeconds() {
      const started = [...active.keys()].map((key) => lastStart.get(key) ?? performance.now());
      return started.length === 0 ? 0 : (performance.now() - Math.min(...started)) / 1000;
    },
    stop: async () => {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      ready.clear();
      await Promise.allSettled(active.values());
    },
  };
}
