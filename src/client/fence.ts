import { timerMilliseconds } from "./backoff.ts";

/**
 * Whether this process may write now. Another may from the moment on at which the Lease of this one has expired, so nothing is sent
 * after that, and what is under way is given up.
 */
export interface Fence {
  isOpen(): boolean;
  /** Calls `abort` once, when the fence closes; returns how to take that back. */
  onClose(abort: () => void): () => void;
}

export interface LeaseFence extends Fence {
  /** Writes are allowed for so long from a moment of {@link FenceClock.read} on. */
  extend(from: ClockReading, seconds: number): void;
  /** At once, and until it is extended again. Gives the number of calls that were under way, of which it is not known whether they are done. */
  close(): number;
  readonly clock: FenceClock;
}

/** Two clocks: the first cannot be set, but may stand still while a virtual machine is suspended; the second may be set. */
export interface ClockReading {
  readonly monotonic: number;
  readonly wall: number;
}

export interface FenceClock {
  read(): ClockReading;
}

const systemClock: FenceClock = { read: () => ({ monotonic: performance.now(), wall: Date.now() }) };

/** Closed at first. Its time is over as soon as either clock says so: a clock that is set forward costs one renewal. */
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

  /** One timer, however often the time is extended. */
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
