import { ApiError } from "../kube/api-error.ts";
import { messageOf } from "../kube/message-of.ts";
import type { ListWatchState } from "./list-watch.ts";
import type { ListWatchTiming } from "./timing.ts";

export type States = Readonly<Record<string, ListWatchState>>;

type Limits = Pick<ListWatchTiming, "refusedSeconds" | "staleSeconds">;

/** How many resources a message names. */
const shown = 5;

/** Whether a watch has been rejected, or has delivered nothing, for longer than passes over. */
export function isStale({ refusedSeconds, ageSeconds }: ListWatchState, limits: Limits): boolean {
  return refusedSeconds >= limits.refusedSeconds || ageSeconds >= limits.staleSeconds;
}

/**
 * Why objects that depend on these watches may be other than the caches say; undefined where nothing is wrong, and where the API server is
 * away or has just come back: every watch is behind then, and will not be in a moment.
 */
export function watchProblem(relevant: States, all: States, limits: Limits): string | undefined {
  const isServing = Object.values(all).some(({ healthySeconds }) => healthySeconds >= limits.refusedSeconds);
  const failing = Object.entries(relevant).filter(
    ([, state]) =>
      state.refusedSeconds >= limits.refusedSeconds || (isServing && state.ageSeconds >= limits.staleSeconds),
  );
  if (failing.length === 0) return undefined;
  return `The operator cannot watch ${listed(failing.map(([resource, state]) => `${resource} (${brief(state)})`))}`;
}

/** What keeps caches from being complete and current, with the answers of the API server: for whoever runs the operator. */
export function staleWatches(all: States, limits: Limits): string | undefined {
  const failing = Object.entries(all).filter(([, state]) => !state.isSynced || isStale(state, limits));
  if (failing.length === 0) return undefined;
  const texts = failing.map(([resource, { isSynced, error, ageSeconds }]) => {
    const what = isSynced ? `nothing for ${Math.round(ageSeconds)} s` : "not listed yet";
    return `${resource}: ${what}${error === undefined ? "" : `, ${messageOf(error)}`}`;
  });
  return texts.join("\n");
}

/** Without numbers that change: it becomes part of a status. */
function brief({ error }: ListWatchState): string {
  if (!(error instanceof ApiError)) return "it delivers nothing";
  return error.status === 0 ? error.reason : `${error.status} ${error.reason}`;
}

function listed(names: readonly string[]): string {
  const rest = names.length > shown ? ` and ${names.length - shown} more` : "";
  return `${names.slice(0, shown).join(", ")}${rest}`;
}
