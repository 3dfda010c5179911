import { isAwaited, type Reason } from "../api/reasons.ts";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Installation } from "../resources/inputs.ts";
import type { Facts } from "./facts.ts";
import type { Outcome } from "./outcome.ts";

/** Seconds in which other controllers may create what a new generation needs, before it counts as missing. */
export const defaultGracePeriodSeconds = 120;

/** An object whose status says which generation was observed, and since when. */
type Observed = Pick<MlflowServer | MlflowWorkspaceAccess, "metadata" | "status">;

/** When the operator first reported this generation; now, where it has not. The status keeps it over restarts. */
export function observedSince({ metadata, status }: Observed, now: Date): Date {
  const { observedGeneration, observedGenerationTime } = status ?? {};
  const since = observedGeneration === metadata.generation ? Date.parse(observedGenerationTime ?? "") : Number.NaN;
  return Number.isNaN(since) ? now : new Date(since);
}

/** Seconds that are left of a period since a moment; 0 where that lies in the future by more than a period: the clock was set back. */
export function secondsLeft(since: Date, period: number, now: Date): number {
  const left = period - (now.getTime() - since.getTime()) / 1000;
  return left > 0 && left <= 2 * period ? left : 0;
}

/** Seconds in which others may still end what these reasons stand for; 0 where that is over, or is up to a person. */
export function graceLeft(
  object: Observed,
  reasons: readonly Reason[],
  { gracePeriodSeconds = defaultGracePeriodSeconds }: Pick<Installation, "gracePeriodSeconds">,
  now: Date,
): number {
  return reasons.every(isAwaited) ? secondsLeft(observedSince(object, now), gracePeriodSeconds, now) : 0;
}

/**
 * The outcome, but `progressing` in place of `stalled` while all that is missing may still be created by others, such as a
 * Secret of the same Helm release. A timer brings the pass that reports it as stalled.
 */
export function withGracePeriod(
  outcome: Outcome,
  { server, installation, now }: Pick<Facts, "server" | "installation" | "now">,
  reasons: readonly Reason[] = [outcome.cause.reason],
): Outcome {
  const left = outcome.state === "stalled" ? graceLeft(server, reasons, installation, now) : 0;
  if (left === 0) return outcome;
  return { ...outcome, state: "progressing", againInSeconds: Math.min(left, outcome.againInSeconds ?? left) };
}
