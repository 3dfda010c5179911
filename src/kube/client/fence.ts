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

export interface LeaseFence extends Fence {
  /** Allows writes for a number of seconds from a reading of {@link FenceClock.read}. */
  extend(from: ClockReading, seconds: number): void;
  /** Closes the fence immediately, until the next extension. Returns the number of aborted requests, whose outcome is unknown. */
  close(): number;
  readonly clock: FenceClock;
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

/** Returns a closed fence. It closes when the time is over on either clock; a clock that is set forward costs one renewal. */
export function leaseFence(clock: FenceClock = systemClock): LeaseFence {
  const aborts = new Set<() => void>();
  let until: ClockReading | undefined;
  let timer: NodeJS.Timeout | undefined;

  function secondsLeft(): number {
    if (until === undefined) return 0;
    const { monotonic, wall } = clock.read();
    return Math.min(until.monotonic - monotonic, until.wall - wall) / 1000;
  }

  function isOpen(): boolean {
    return secondsLeft() > 0;
  }

  function close(): number {
    until = undefined;
    clearTimeout(timer);
    timer = undefined;
    const given = [...aborts];
    aborts.clear();
    for (const abort of given) abort();
    return given.length;
  }

  /** Uses one timer, however often the time is extended. */
  function watch(): void {
    timer = setTimeout(() => {
      if (isOpen()) watch();
      else close();
    }, timerMilliseconds(secondsLeft())).unref();
  }

  return {
    clock,
    isOpen,
    close,
    extend: (from, seconds) => {
      until = { monotonic: from.monotonic + seconds * 1000, wall: from.wall + seconds * 1000 };
      if (timer === undefined) watch();
    },
    onClose: (abort) => {
      aborts.add(abort);
      return () => void aborts.delete(abort);
    },
  };
}
