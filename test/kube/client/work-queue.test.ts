import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { type QueueOptions, WorkQueue } from "../../../src/kube/client/work-queue.ts";

/** A queue whose work ends when the test ends it. */
function controlled(workers: number, backoff = { firstSeconds: 0.02, longestSeconds: 0.1 }) {
  const started: string[] = [];
  const failed: string[] = [];
  const release: (() => void)[] = [];
  let outcome: (key: string) => number | undefined = () => undefined;
  const work = new WorkQueue({
    workers,
    spacingMilliseconds: 1,
    backoff,
    onFailure: (key) => failed.push(key),
    work: async (key) => {
      started.push(key);
      await new Promise<void>((resolve) => release.push(resolve));
      return outcome(key);
    },
  });
  /** Ends the oldest work; resolves when the queue has noticed it. */
  const finish = async () => {
    release.shift()?.();
    await settled();
  };
  return {
    work,
    started,
    /** Resolves when work has started this many times. */
    starts: async (count: number) => {
      while (started.length < count) await sleep(1);
      assert.equal(started.length, count);
    },
    failed,
    finish,
    decide: (next: typeof outcome) => {
      outcome = next;
    },
  };
}

/** All callbacks that wait for no timer have run. */
const settled = () => setImmediate();

describe("the queue", () => {
  test("processes a key once at a time, and once again for all additions meanwhile", async () => {
    const { work, started, starts, finish } = controlled(4);
    work.add("a");
    for (let i = 0; i < 100; i++) work.add("a");
    assert.deepEqual(started, ["a"]);
    await finish();
    await starts(2);
    await finish();
    // A third one would begin before that of another key that is added now.
    work.add("b");
    await starts(3);
    assert.deepEqual(started, ["a", "a", "b"]);
    await finish();
    await work.stop();
  });

  test("processes as many keys as there are workers, in the order of their additions", async () => {
    const { work, started, finish } = controlled(2);
    for (const key of ["a", "b", "c"]) work.add(key);
    assert.deepEqual(started, ["a", "b"]);
    assert.equal(work.waiting, 1);
    await finish();
    assert.deepEqual(started, ["a", "b", "c"]);
    await finish();
    await finish();
    await work.stop();
  });

  test("retries a failed key immediately after a change", async () => {
    const { work, started, starts, failed, finish, decide } = controlled(1, { firstSeconds: 600, longestSeconds: 600 });
    decide(() => {
      throw new Error("no");
    });
    work.add("a");
    await finish();
    assert.deepEqual(failed, ["a"]);
    assert.equal(started.length, 1);
    // A change does not wait for the backoff.
    work.add("a");
    await starts(2);
    const stopped = work.stop();
    await finish();
    await stopped;
  });

  test("retries a failed key without a change", async () => {
    const { work, starts, finish, decide } = controlled(1);
    decide(() => {
      throw new Error("no");
    });
    work.add("a");
    await finish();
    await starts(2);
    const stopped = work.stop();
    await finish();
    await stopped;
  });

  test("requeues a key after the requested time", async () => {
    const { work, starts, finish, decide } = controlled(1);
    decide(() => 0.02);
    work.add("a");
    await finish();
    decide(() => undefined);
    await starts(2);
    await finish();
    await work.stop();
  });

  test("waits for running work and starts no more when it is stopped", async () => {
    const { work, started, finish } = controlled(1);
    work.add("a");
    work.add("b");
    const stopped = work.stop();
    await finish();
    await stopped;
    assert.deepEqual(started, ["a"]);
  });

  test("increases the delay after each consecutive failure, but not after one with progress", async () => {
    const waits: number[] = [];
    let madeProgress = false;
    const work = new WorkQueue({
      workers: 1,
      spacingMilliseconds: 1,
      backoff: { firstSeconds: 0.01, longestSeconds: 1 },
      random: () => 1,
      madeProgress: () => madeProgress,
      onFailure: (_, __, seconds) => waits.push(seconds),
      work: async () => {
        madeProgress = waits.length >= 2;
        throw new Error("not yet");
      },
    });
    work.add("a");
    while (waits.length < 5) await sleep(5);
    await work.stop();
    assert.deepEqual(waits.slice(0, 5), [0.01, 0.02, 0.04, 0.04, 0.04]);
  });

  /** The delays after failures of a queue with these options. */
  async function waitsOf(options: Partial<QueueOptions>, count: number): Promise<number[]> {
    const waits: number[] = [];
    const work = new WorkQueue({
      workers: 1,
      spacingMilliseconds: 0,
      backoff: { firstSeconds: 0.001, longestSeconds: 0.004 },
      onFailure: (_, __, seconds) => waits.push(seconds),
      work: async () => {
        throw new Error("no");
      },
      ...options,
    });
    work.add("a");
    while (waits.length < count) await sleep(1);
    await work.stop();
    return waits.slice(0, count);
  }

  test("randomizes the delay between half of its bound and the whole", async () => {
    const [first = 0, ...rest] = await waitsOf({}, 30);
    assert.ok(first >= 0.0005 && first <= 0.001, `${first}`);
    const late = rest.slice(3);
    assert.ok(
      late.every((seconds) => seconds >= 0.002 && seconds <= 0.004),
      `${late}`,
    );
    assert.ok(new Set(late).size > 20, `${late}`);
  });

  test("waits at least for the requested time", async () => {
    const waits = await waitsOf({ retryBoundsOf: () => ({ least: 0.01 }) }, 5);
    assert.ok(
      waits.every((seconds) => seconds >= 0.01 && seconds <= 0.011),
      `${waits}`,
    );
  });

  test("retries keys that failed in an outage when it is over, and no others", async () => {
    const started: string[] = [];
    const work = new WorkQueue({
      workers: 4,
      spacingMilliseconds: 1,
      backoff: { firstSeconds: 3600, longestSeconds: 3600 },
      isOutage: (error) => error instanceof RangeError,
      random: () => 0,
      onFailure: () => {},
      work: async (key) => {
        started.push(key);
        throw key === "unreachable" ? new RangeError() : new Error("no");
      },
    });
    for (const key of ["unreachable", "rejected"]) work.add(key);
    while (started.length < 2) await sleep(1);
    await settled();
    work.recovered();
    while (started.length < 3) await sleep(1);
    await work.stop();
    assert.deepEqual(started, ["unreachable", "rejected", "unreachable"]);
  });

  test("a delay of months does not cause a loop", async () => {
    let runs = 0;
    const work = new WorkQueue({
      workers: 1,
      onFailure: () => {},
      work: async () => {
        runs += 1;
        return 90 * 24 * 3600;
      },
    });
    work.add("a");
    await sleep(100);
    await work.stop();
    assert.equal(runs, 1);
  });
});
