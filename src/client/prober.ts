import { jittered, timerMilliseconds } from "../kube/client/backoff.ts";
import { type Key, keyText } from "../kube/object.ts";

/** Probes servers in rounds, in the background. */
export interface Prober<Subject, Result> {
  /** The result of the last rounds; undefined until there is one. Rounds are repeated while reconciliations call this. */
  result(key: Key, subject: Subject): Result | undefined;
  /** Stops the rounds of this server until the next call of `result`. */
  forget(key: Key): void;
  stop(): void;
}

/** How one kind of probes works. */
export interface Rounds<Subject, Result> {
  /** Sends the requests of a round, of which the first has the number 0. `before` is the result of the previous round, also if it was not reported. */
  readonly run: (subject: Subject, number: number, before: Result | undefined) => Promise<Result>;
  /** The number of consecutive doubtful rounds after which a result is reported: the mesh, or the server, may still be applying a change. 1: immediately. */
  readonly roundsToReport: (result: Result) => number;
  /** Seconds until the next round. */
  readonly interval: (result: Result) => number;
  /** Seconds until the round that confirms a result. */
  readonly confirmSeconds: number;
}

interface Known<Result> {
  readonly subject: string;
  /** The reported result. */
  reported: Result | undefined;
  /** The result of the last round, with those of the former subject. */
  last: Result | undefined;
  /** The number of rounds. */
  number: number;
  /** The number of consecutive rounds whose results are not reported immediately. */
  doubtful: number;
  timer?: NodeJS.Timeout;
}

/** `changed` is called for a server whose result has changed. */
export function prober<Subject, Result>(
  changed: (key: Key) => void,
  { run, roundsToReport, interval, confirmSeconds }: Rounds<Subject, Result>,
): Prober<Subject, Result> {
  const known = new Map<string, Known<Result>>();

  async function round(key: Key, state: Known<Result>, subject: Subject): Promise<void> {
    const found = await run(subject, state.number, state.last);
    if (known.get(keyText(key)) !== state) return;
    const needed = roundsToReport(found);
    state.number += 1;
    state.last = found;
    state.doubtful = needed > 1 ? state.doubtful + 1 : 0;
    const wasReported = state.reported !== undefined && roundsToReport(state.reported) >= needed;
    if (needed > 1 && state.doubtful < needed && !wasReported) {
      again(confirmSeconds);
      return;
    }
    const isChanged = JSON.stringify(found) !== JSON.stringify(state.reported);
    state.reported = found;
    again(interval(found));
    if (isChanged) changed(key);

    function again(seconds: number): void {
      state.timer = setTimeout(() => void round(key, state, subject), timerMilliseconds(jittered(seconds))).unref();
    }
  }

  function forget(key: Key): void {
    clearTimeout(known.get(keyText(key))?.timer);
    known.delete(keyText(key));
  }

  return {
    result: (key, subject) => {
      const before = known.get(keyText(key));
      const text = JSON.stringify(subject);
      if (before?.subject === text) return before.reported;
      clearTimeout(before?.timer);
      // The results of the previous subject are kept until this one has been probed.
      const state: Known<Result> = {
        subject: text,
        reported: before?.reported,
        last: before?.last,
        number: 0,
        doubtful: 0,
      };
      known.set(keyText(key), state);
      void round(key, state, subject);
      return state.reported;
    },
    forget,
    stop: () => {
      for (const { timer } of known.values()) clearTimeout(timer);
      known.clear();
    },
  };
}
