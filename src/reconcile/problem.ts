import type { Cause } from "./cause.ts";
import { secondsLeft } from "./grace-period.ts";

/** Why a server does not become ready, and whether it needs a change by now. */
export interface Problem {
  readonly cause: Cause;
  readonly stalled: boolean;
  /** Seconds after which it counts as stalled. No watch event reports that. */
  readonly againInSeconds?: number;
}

/** A problem that may resolve without a change: it is reported immediately, and counts as stalled after this number of seconds. */
export function lasting(cause: Cause, since: unknown, seconds: number, now: Date): Problem {
  const left = secondsLeft(new Date(timeOf(since) ?? now.getTime()), seconds, now);
  return left > 0 ? { cause, stalled: false, againInSeconds: left } : { cause, stalled: true };
}

/** Seconds since a timestamp; 0 if there is none or it is in the future. */
export function secondsSince(timestamp: unknown, now: Date): number {
  return Math.max(0, (now.getTime() - (timeOf(timestamp) ?? now.getTime())) / 1000);
}

/** The types of the Kubernetes client have Date where JSON has a string. */
function timeOf(timestamp: unknown): number | undefined {
  const time = timestamp instanceof Date ? timestamp.getTime() : Date.parse(String(timestamp ?? ""));
  return Number.isNaN(time) ? undefined : time;
}
