import type { CustomResource } from "../api/definitions.ts";
import { isAwaited, type Reason } from "../api/reasons.ts";
import type { Installation } from "../model/inputs.ts";
import type { ObservedState } from "./observed-state.ts";
import type { Outcome } from "./outcome.ts";

/** Seconds in which other controllers can create the references of a new generation before they count as missing. */
export const defaultGracePeriodSeconds = 120;

/** An object with the observed generation and its time in the status. */
type Observed = Pick<CustomResource, "metadata" | "status">;

/** The time at which the operator first reported this generation, or now. The status keeps it across restarts. */
export function observedSince({ metadata, status }: Observed, now: Date): Date {
  const { observedGeneration, observedGenerationTime } = status ?? {};
  const since = observedGeneration === metadata.generation ? Date.parse(observedGenerationTime ?? "") : Number.NaN;
  return Number.isNaN(since) ? now : new Date(since);
}

/** Seconds left of a period that began at `since`; 0 if `since` is more than a period in the future, because the clock was set back. */
export function secondsLeft(since: Date, period: number, now: Date): number {
  const left = period - (now.getTime() - since.getTime()) / 1000;
  return left > 0 && left <= 2 * period ? left : 0;
}

/** Seconds in which other clients may still resolve these reasons; 0 if the period is over or a user must act. */
export function graceLeft(
  object: Observed,
  reasons: readonly Reason[],
  { gracePeriodSeconds = defaultGracePeriodSeconds }: Pick<Installation, "gracePeriodSeconds">,
  now: Date,
): number {
  return reasons.every(isAwaited) ? secondsLeft(observedSince(object, now), gracePeriodSeconds, now) : 0;
}

/**
 * The outcome, with `progressing` in place of `stalled` while other clients may still create the missing objects, such as a
 * Secret of the same Helm release. A timer starts the reconciliation that reports it as stalled.
 */
export function withGracePeriod(
  outcome: Outcome,
  { server, installation, now }: Pick<ObservedState, "server" | "installation" | "now">,
  reasons: readonly Reason[] = [outcome.cause.reason],
): Outcome {
  const left = outcome.state === "stalled" ? graceLeft(server, reasons, installation, now) : 0;
  if (left === 0) return outcome;
  return { ...outcome, state: "progressing", againInSeconds: Math.min(left, outcome.againInSeconds ?? left) };
}
