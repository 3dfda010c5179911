import { setTimeout as sleep } from "node:timers/promises";
import { atMost, type Figure } from "../figure.ts";
import { callsOf, type Measuring, textOf } from "./measuring.ts";

export interface Idleness {
  readonly figures: readonly Figure[];
  readonly cpuMillisecondsPerSecond: number;
}

const seconds = 60;

/** Measures a minute without changes. */
export async function idleness(measuring: Measuring): Promise<Idleness> {
  const { log, operator } = measuring;
  const since = await log.mark();
  const before = operator.usage();
  await sleep(seconds * 1000);
  const after = operator.usage();
  const calls = await callsOf(measuring, since);
  const rss = await operator.restingRss();
  return {
    cpuMillisecondsPerSecond: (after.cpuMilliseconds - before.cpuMilliseconds) / seconds,
    figures: [
      atMost(`calls in ${seconds} s without changes`, calls.length, 0, { detail: calls.map(textOf) }),
      atMost("RSS idle, one server", rss / 1e6, 90, { unit: "MB", digits: 1 }),
    ],
  };
}
