import assert from "node:assert/strict";
import { test } from "node:test";
import { fairLimiter } from "../../src/client/fair-limiter.ts";

/** Functions that run until they are ended, in the order in which they began. */
function setUp() {
  const limited = fairLimiter({ most: 3, mostOfGroup: 2 });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const start = (name: string) =>
    limited(name.slice(0, 1), () => {
      begun.push(name);
      return new Promise<void>((resolve) => void ends.set(name, resolve));
    });
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, start, end };
}

test("limits all functions and those of each group, in which they begin in the order of the calls", async () => {
  const { begun, start, end } = setUp();
  for (const name of ["a1", "a2", "a3", "a4", "b1", "b2"]) void start(name);
  await end("");
  assert.deepEqual(begun, ["a1", "a2", "b1"]);
  await end("b1");
  assert.deepEqual(begun.slice(3), ["b2"]);
  await end("a1");
  await end("a2");
  assert.deepEqual(begun.slice(4), ["a3", "a4"]);
});

test("gives the groups their turn", async () => {
  const { begun, start, end } = setUp();
  for (const name of ["a1", "b1", "c1", "a2", "a3", "b2", "c2"]) void start(name);
  await end("");
  for (const name of ["a1", "b1", "c1"]) await end(name);
  assert.deepEqual(begun, ["a1", "b1", "c1", "a2", "b2", "c2"]);
});

test("continues after a function that fails", async () => {
  const limited = fairLimiter({ most: 1, mostOfGroup: 1 });
  const failed = limited("a", () => Promise.reject(new Error("no")));
  const next = limited("b", async () => "next");
  await assert.rejects(failed, /no/);
  assert.equal(await next, "next");
});
