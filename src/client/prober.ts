import { jittered, timerMilliseconds } from "../kube/client/backoff.ts";
import { type Key, keyText } from "../kube/object.ts";

/** One round of probes. */
export interface Round<Result> {
  readonly key: Key;
  /** The first has the number 0. */
  readonly number: number;
  /** The result of the previous round, also if it was not reported. */
  readonly before: Result | undefined;
  /** Whether its result is still needed. */
  readonly isCurrent: () => boolean;
}

/** How one kind of probes works. */
export interface Rounds<Subject, Result> {
  /** Sends the requests of a round. */
  readonly run: (subject: Subject, round: Round<Result>) => Promise<Result>;
  /** The result that replaces an earlier one if a round fails or does not end in time: nothing is known. */
  readonly unknown: (subject: Subject) => Result;
  /** The number of consecutive doubtful rounds after which a result is reported: the mesh, or the server, may still be applying a change. 1: immediately. */
  readonly roundsToReport: (result: Result) => number;
  /** Seconds until the next round. */
  readonly interval: (result: Result) => number;
  /** Seconds until the round that confirms a result. */
  readonly confirmSeconds: number;
  /** Seconds after which a round that has not ended is reported. Default: five minutes. */
  readonly lateSeconds?: number;
}

const defaultLateSeconds = 300;

/** Why nothing is known. */
export const roundNotEnded = "the operator has not finished a round of probes";

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

/** Probes servers in rounds, in the background. */
export class Prober<Subject, Result> {
  readonly #changed: (key: Key) => void;
  readonly #rounds: Rounds<Subject, Result>;
  readonly #known = new Map<string, Known<Result>>();

  /** `changed` is called for a server whose result has changed. */
  constructor(changed: (key: Key) => void, rounds: Rounds<Subject, Result>) {
    this.#changed = changed;
    this.#rounds = rounds;
  }

  /** The result of the last rounds; undefined until there is one. Rounds are repeated while reconciliations call this. */
  result(key: Key, subject: Subject): Result | undefined {
    const before = this.#known.get(keyText(key));
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
    this.#known.set(keyText(key), state);
    void this.#round(key, state, subject);
    return state.reported;
  }

  /** Stops the rounds of this server until the next call of `result`. */
  forget(key: Key): void {
    clearTimeout(this.#known.get(keyText(key))?.timer);
    this.#known.delete(keyText(key));
  }

  stop(): void {
    for (const { timer } of this.#known.values()) clearTimeout(timer);
    this.#known.clear();
  }

  async #round(key: Key, state: Known<Result>, subject: Subject): Promise<void> {
    const { run, unknown, interval, confirmSeconds, lateSeconds = defaultLateSeconds } = this.#rounds;
    const isCurrent = () => this.#known.get(keyText(key)) === state;
    // An earlier result would otherwise stay forever.
    state.timer = setTimeout(() => this.#report(key, state, unknown(subject)), timerMilliseconds(lateSeconds)).unref();
    const { number, last: before } = state;
    const found = await run(subject, { key, number, before, isCurrent }).catch(() => undefined);
    clearTimeout(state.timer);
    if (!isCurrent()) return;
    const isDoubtful = found !== undefined && this.#isDoubtful(state, found);
    const result = found ?? unknown(subject);
    const seconds = isDoubtful ? confirmSeconds : interval(result);
    state.timer = setTimeout(() => void this.#round(key, state, subject), timerMilliseconds(jittered(seconds))).unref();
    if (!isDoubtful) this.#report(key, state, result);
  }

  /** Records the result of a round. Returns whether another round must confirm it before it is reported. */
  #isDoubtful(state: Known<Result>, found: Result): boolean {
    const { roundsToReport } = this.#rounds;
    const needed = roundsToReport(found);
    state.number += 1;
    state.last = found;
    state.doubtful = needed > 1 ? state.doubtful + 1 : 0;
    const wasReported = state.reported !== undefined && roundsToReport(state.reported) >= needed;
    return needed > 1 && state.doubtful < needed && !wasReported;
  }

  #report(key: Key, state: Known<Result>, found: Result): void {
    const isChanged = JSON.stringify(found) !== JSON.stringify(state.reported);
    state.reported = found;
    if (isChanged) this.#changed(key);
  }
}
