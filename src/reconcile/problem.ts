import type { Cause } from "./finding.ts";
import { secondsLeft } from "./grace-period.ts";

/** A cause that keeps a server from its end, and whether it needs a person by now. */
export interface Problem {
  readonly cause: Cause;
  readonly stalled: boolean;
  /** Seconds after which it counts as stalled; no watch tells. */
  readonly againInSeconds?: number;
}

/** A cause that may end by itself: it is reported at once, and counts as stalled once it has lasted so many seconds. */
export function lasting(cause: Cause, since: unknown, seconds: number, now: Date): Problem {
  const left = secondsLeft(new Date(timeOf(since) ?? now.getTime()), seconds, now);
  return left > 0 ? { cause, stalled: false, againInSeconds: left } : { cause, stalled: true };
}

/** Seconds since a timestamp; 0 where there is none, or it lies in the future. */
export function secondsSince(timestamp: unknown, now: Date): number {
  return Math.max(0, (now.getTime() - (timeOf(timestamp) ?? now.getTime())) / 1000);
}

/** The client's types have Date where JSON has text. */
function timeOf(timestamp: unknown): number | undefined {
  const time = timestamp instanceof Date ? timestamp.getTime() : Date.parse(String(timestamp ?? ""));
  return Number.isNaN(time) ? undefined : time;
}
