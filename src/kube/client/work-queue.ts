import { jittered, type RetryBounds, timerMilliseconds } from "./backoff.ts";

/** The number of consecutive failures of a key, and the time since the first. */
interface Failing {
  readonly attempts: number;
  readonly seconds: number;
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

const defaults = {
  madeProgress: () => false,
  retryBoundsOf: () => ({ least: 0 }),
  isOutage: () => false,
  spacingMilliseconds: 50,
  backoff: { firstSeconds: 0.25, longestSeconds: 60 },
  random: Math.random,
};

/** A work queue of keys. A key is processed once at a time; if it is added meanwhile, it is processed once again afterwards. */
export class WorkQueue {
  readonly #options: Required<QueueOptions>;
  readonly #ready = new Set<string>();
  readonly #active = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly due: number }>();
  readonly #failures = new Map<string, number>();
  /** Number of consecutive failed attempts, and time of the first. */
  readonly #failing = new Map<string, { attempts: number; since: number }>();
  /** Keys whose last attempt failed because of an outage. */
  readonly #failedInOutage = new Set<string>();
  readonly #lastStart = new Map<string, number>();
  #isStopped = false;

  constructor(options: QueueOptions) {
    this.#options = { ...defaults, ...options };
  }

  /** Enqueues a key. */
  add(key: string): void {
    if (this.#isStopped) return;
    const wait = (this.#lastStart.get(key) ?? 0) + this.#options.spacingMilliseconds - performance.now();
    if (this.#active.has(key)) this.#again.add(key);
    else if (wait > 0) this.#later(key, wait / 1000);
    else {
      this.#ready.add(key);
      this.#pump();
    }
  }

  /** The API server is available again: keys whose last attempt failed because of an outage are retried within seconds. */
  recovered(): void {
    for (const key of this.#failedInOutage) this.#later(key, this.#options.random() * recoverySeconds);
    this.#failedInOutage.clear();
  }

  /** Number of keys that are ready to be processed, without delayed ones. */
  get waiting(): number {
    return this.#ready.size;
  }

  /** Running time of the oldest key in seconds; 0 if none is processed. */
  get longestRunningSeconds(): number {
    const started = [...this.#active.keys()].map((key) => this.#lastStart.get(key) ?? performance.now());
    return started.length === 0 ? 0 : (performance.now() - Math.min(...started)) / 1000;
  }

  /** Processes no further keys. Resolves when running work has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#ready.clear();
    await Promise.allSettled(this.#active.values());
  }

  /** Only the earliest of several times is used: one attempt covers all reasons. */
  #later(key: string, seconds: number): void {
    const due = performance.now() + seconds * 1000;
    const planned = this.#timers.get(key);
    if (this.#isStopped || (planned !== undefined && planned.due <= due)) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      if (this.#active.has(key)) this.#again.add(key);
      else this.#ready.add(key);
      this.#pump();
    }, timerMilliseconds(seconds));
    this.#timers.set(key, { timer, due });
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#isStopped || this.#active.size >= this.#options.workers) return;
      this.#ready.delete(key);
      clearTimeout(this.#timers.get(key)?.timer);
      this.#timers.delete(key);
      this.#lastStart.set(key, performance.now());
      this.#active.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    const { work, random } = this.#options;
    try {
      const { attempts = 0, since = performance.now() } = this.#failing.get(key) ?? {};
      const seconds = await work(key, { attempts, seconds: (performance.now() - since) / 1000 });
      this.#failures.delete(key);
      this.#failing.delete(key);
      this.#failedInOutage.delete(key);
      if (seconds !== undefined) this.#later(key, jittered(seconds, random));
      else if (!this.#again.has(key)) this.#forgetLater(key);
    } catch (error) {
      this.#failed(key, error);
    } finally {
      this.#active.delete(key);
      if (this.#again.delete(key)) this.add(key);
      this.#pump();
    }
  }

  #failed(key: string, error: unknown): void {
    const { madeProgress, isOutage, retryBoundsOf, onFailure, backoff, random } = this.#options;
    const count = this.#failures.get(key) ?? 0;
    this.#failures.set(key, madeProgress(error) ? count : count + 1);
    const { attempts = 0, since = performance.now() } = this.#failing.get(key) ?? {};
    this.#failing.set(key, { attempts: attempts + 1, since });
    if (isOutage(error)) this.#failedInOutage.add(key);
    else this.#failedInOutage.delete(key);
    const { least, longest = backoff.longestSeconds } = retryBoundsOf(error);
    // Between half and the whole of it, so that keys that failed together are not retried together.
    const bound = Math.min(backoff.firstSeconds * 2 ** count, longest) * (0.5 + random() / 2);
    const seconds = Math.max(bound, jittered(least, random));
    onFailure(key, error, seconds);
    this.#later(key, seconds);
  }

  /** The time of the last start is needed only briefly; removed keys must not stay in memory. */
  #forgetLater(key: string): void {
    setTimeout(() => {
      if (!this.#active.has(key) && !this.#timers.has(key)) this.#lastStart.delete(key);
    }, this.#options.spacingMilliseconds).unref();
  }
}
