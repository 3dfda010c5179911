import { timerMilliseconds } from "./backoff.ts";

/**
 * Whether this process can write now. Once its Lease has expired, another process can write. Then nothing is sent,
 * and requests in flight are aborted.
 */
export interface Fence {
  isOpen(): boolean;
  /** Calls `abort` once when the fence closes. Returns a function that unsubscribes. */
  onClose(abort: () => void): () => void;
}

/** Two clocks: the monotonic clock can stop while a virtual machine is suspended; the wall clock can be set. */
export interface ClockReading {
  readonly monotonic: number;
  readonly wall: number;
}

export interface FenceClock {
  read(): ClockReading;
}

const systemClock: FenceClock = { read: () => ({ monotonic: performance.now(), wall: Date.now() }) };

/** A fence that is closed at first. It closes when the time is over on either clock; a clock that is set forward costs one renewal. */
export class LeaseFence implements Fence {
  readonly clock: FenceClock;
  readonly #aborts = new Set<() => void>();
  #until: ClockReading | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: FenceClock = systemClock) {
    this.clock = clock;
  }

  isOpen(): boolean {
    return this.#secondsLeft() > 0;
  }

  /** Allows writes for a number of seconds from a reading of {@link FenceClock.read}. */
  extend(from: ClockReading, seconds: number): void {
    this.#until = { monotonic: from.monotonic + seconds * 1000, wall: from.wall + seconds * 1000 };
    if (this.#timer === undefined) this.#watch();
  }

  /** Closes the fence immediately, until the next extension. Returns the number of aborted requests, whose outcome is unknown. */
  close(): number {
    this.#until = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const given = [...this.#aborts];
    this.#aborts.clear();
    for (const abort of given) abort();
    return given.length;
  }

  onClose(abort: () => void): () => void {
    this.#aborts.add(abort);
    return () => void this.#aborts.delete(abort);
  }

  #secondsLeft(): number {
    if (this.#until === undefined) return 0;
    const { monotonic, wall } = this.clock.read();
    return Math.min(this.#until.monotonic - monotonic, this.#until.wall - wall) / 1000;
  }

  /** Uses one timer, however often the time is extended. */
  #watch(): void {
    this.#timer = setTimeout(() => {
      if (this.isOpen()) this.#watch();
      else this.close();
    }, timerMilliseconds(this.#secondsLeft())).unref();
  }
}
