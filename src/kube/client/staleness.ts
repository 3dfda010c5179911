import { ApiError, messageOf } from "../errors.ts";
import type { ListWatchState } from "./list-watch.ts";
import type { ListWatchTiming } from "./timing.ts";

export type States = Readonly<Record<string, ListWatchState>>;

type Limits = Pick<ListWatchTiming, "rejectedSeconds" | "staleSeconds">;

/** How many resources a message names. */
const shown = 5;

/** Whether a watch has been rejected, or has delivered nothing, for longer than the limits. */
export function isStale({ rejectedSeconds, ageSeconds }: ListWatchState, limits: Limits): boolean {
  return rejectedSeconds >= limits.rejectedSeconds || ageSeconds >= limits.staleSeconds;
}

/**
 * Returns why the caches of these watches may be outdated; undefined if they are current, and if the API server is
 * unavailable or has just recovered: then all watches are behind for a moment.
 */
export function watchProblem(relevant: States, all: States, limits: Limits): string | undefined {
  const isServing = Object.values(all).some(({ healthySeconds }) => healthySeconds >= limits.rejectedSeconds);
  const failing = Object.entries(relevant).filter(
    ([, state]) =>
      state.rejectedSeconds >= limits.rejectedSeconds || (isServing && state.ageSeconds >= limits.staleSeconds),
  );
  if (failing.length === 0) return undefined;
  return `The operator cannot watch ${listed(failing.map(([resource, state]) => `${resource} (${brief(state)})`))}`;
}

/** Returns a line for each incomplete or outdated cache, with the response of the API server, for the operator's administrator. */
export function staleWatches(all: States, limits: Limits): string | undefined {
  const failing = Object.entries(all).filter(([, state]) => !state.isSynced || isStale(state, limits));
  if (failing.length === 0) return undefined;
  const texts = failing.map(([resource, { isSynced, error, ageSeconds }]) => {
    const what = isSynced ? `nothing for ${Math.round(ageSeconds)} s` : "not listed yet";
    return `${resource}: ${what}${error === undefined ? "" : `, ${messageOf(error)}`}`;
  });
  return texts.join("\n");
}

/** Without numbers that change, since it is part of a status. */
function brief({ error }: ListWatchState): string {
  if (!(error instanceof ApiError)) return "it delivers nothing";
  return error.status === 0 ? error.reason : `${error.status} ${error.reason}`;
}

function listed(names: readonly string[]): string {
  const rest = names.length > shown ? ` and ${names.length - shown} more` : "";
  return `${names.slice(0, shown).join(", ")}${rest}`;
}
