import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { queue } from "../../src/runtime/queue.ts";

/** A queue whose work is let go by the test. */
function controlled(workers: number, backoff = { firstSeconds: 0.02, longestSeconds: 0.1 }) {
  const started: string[] = [];
  const failed: string[] = [];
  const release: (() => void)[] = [];
  let outcome: (key: string) => number | undefined = () => undefined;
  const work = queue({
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
  const finish = async () => {
    release.shift()?.();
    await sleep(5);
  };
  return {
    work,
    started,
    failed,
    finish,
    decide: (next: typeof outcome) => {
      outcome = next;
    },
  };
}

describe("the queue", () => {
  test("never works on one key twice at once, and once more for all that came meanwhile", async () => {
    const { work, started, finish } = controlled(4);
    work.add("a");
    for (let i = 0; i < 100; i++) work.add("a");
    assert.deepEqual(started, ["a"]);
    await finish();
    assert.deepEqual(started, ["a", "a"]);
    await finish();
    assert.deepEqual(started, ["a", "a"]);
    await work.stop();
  });

  test("works on as many keys as there are workers, in the order in which they came", async () => {
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

  test("tries again what failed, ever later, and at once when it changes", async () => {
    const { work, started, failed, finish, decide } = controlled(1, { firstSeconds: 0.03, longestSeconds: 60 });
    decide(() => {
      throw new Error("no");
    });
    work.add("a");
    await finish();
    assert.deepEqual(failed, ["a"]);
    assert.equal(started.length, 1);
    await sleep(60);
    assert.equal(started.length, 2);
    await finish();
    work.add("a");
    await sleep(5);
    assert.equal(started.length, 3, "a change does not wait for the back-off");
    const stopped = work.stop();
    await finish();
    await stopped;
  });

  test("looks again after the time that a pass asks for", async () => {
    const { work, started, finish, decide } = controlled(1);
    decide(() => 0.02);
    work.add("a");
    await finish();
    decide(() => undefined);
    await sleep(50);
    assert.equal(started.length, 2);
    await finish();
    await work.stop();
  });

  test("ends what is under way and starts nothing more when it is stopped", async () => {
    const { work, started, finish } = controlled(1);
    work.add("a");
    work.add("b");
    const stopped = work.stop();
    await finish();
    await stopped;
    assert.deepEqual(started, ["a"]);
  });

  test("waits longer after each failure in a row, but not after one that got on", async () => {
    const waits: number[] = [];
    let gotOn = false;
    const work = queue({
      workers: 1,
      spacingMilliseconds: 1,
      backoff: { firstSeconds: 0.01, longestSeconds: 1 },
      gotOn: () => gotOn,
      onFailure: (_, __, seconds) => waits.push(seconds),
      work: async () => {
        gotOn = waits.length >= 2;
        throw new Error("not yet");
      },
    });
    work.add("a");
    while (waits.length < 5) await sleep(5);
    await work.stop();
    assert.deepEqual(waits.slice(0, 5), [0.01, 0.02, 0.04, 0.04, 0.04]);
  });
});
