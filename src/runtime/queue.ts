import { jittered, type RetryBounds, timerMilliseconds } from "../client/backoff.ts";
import type { Failing } from "../reconcile/failure-cause.ts";

/** A work queue of keys. A key is in work once at a time, and however often it is added meanwhile, once more after. */
export interface Queue {
  /** Work on this key soon. */
  add(key: string): void;
  /** What could not be reached can be again: keys whose last attempt failed because of it are tried again within seconds. */
  recovered(): void;
  /** How many keys wait, not counting those that wait for a time. */
  readonly waiting: number;
  /** For how long the oldest work has been under way, in seconds; 0 where none is. */
  readonly longestRunningSeconds: number;
  /** Starts no more work; resolves when what is in work has ended. */
  stop(): Promise<void>;
}

export interface QueueOptions {
  /** How many keys are worked on at once. */
  readonly workers: number;
  /**
   * Works on a key; resolves to the seconds after which to do so again, or to undefined. A rejection is tried again; `failing`
   * says for how long that has gone on.
   */
  readonly work: (key: string, failing: Failing) => Promise<number | undefined>;
  /** Whether work that was rejected with this got on all the same: then the next wait is no longer than this one. */
  readonly gotOn?: (error: unknown) => boolean;
  /** How long to wait at least and at most after work that was rejected with this. */
  readonly boundsAfter?: (error: unknown) => RetryBounds;
  /** Whether the rejection says only that something could not be reached. */
  readonly isOutage?: (error: unknown) => boolean;
  /** Told of a rejection, and in how many seconds the next attempt is. */
  readonly onFailure: (key: string, error: unknown, retrySeconds: number) => void;
  /** Least time between the starts of two passes over one key, so that a burst of events is one pass. */
  readonly spacingMilliseconds?: number;
  readonly backoff?: { readonly firstSeconds: number; readonly longestSeconds: number };
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

/** Keys that are tried again after an outage are spread over so many seconds. */
const recoverySeconds = 2;

export function queue({
  workers,
  work,
  gotOn = () => false,
  boundsAfter = () => ({ least: 0 }),
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
  /** Attempts in a row that failed, and when the first of them did. */
  const failing = new Map<string, { attempts: number; since: number }>();
  /** Keys whose last attempt failed because of an outage. */
  const cutOff = new Set<string>();
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

  /** Only the earliest of several times counts: a pass covers all reasons to have one. */
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
      cutOff.delete(key);
      if (seconds !== undefined) later(key, jittered(seconds, random));
      else if (!again.has(key)) forgetLater(key);
    } catch (error) {
      const count = failures.get(key) ?? 0;
      failures.set(key, gotOn(error) ? count : count + 1);
      const { attempts = 0, since = performance.now() } = failing.get(key) ?? {};
      failing.set(key, { attempts: attempts + 1, since });
      if (isOutage(error)) cutOff.add(key);
      else cutOff.delete(key);
      const { least, longest = backoff.longestSeconds } = boundsAfter(error);
      // Between the half and the whole of it, so that keys that failed together are not tried together.
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

  /** The time of the last start matters for a moment only; keys that are gone must not stay in memory. */
  function forgetLater(key: string): void {
    setTimeout(() => {
      if (!active.has(key) && !timers.has(key)) lastStart.delete(key);
    }, spacingMilliseconds).unref();
  }

  return {
    add,
    recovered: () => {
      for (const key of cutOff) later(key, random() * recoverySeconds);
      cutOff.clear();
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
