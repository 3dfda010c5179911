import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { burst, heapCollector } from "../../src/runtime/heap-collector.ts";

/** A collector with a mocked clock, and the number of collections. */
function setUp(context: TestContext) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const before = globalThis.gc;
  let collections = 0;
  globalThis.gc = Object.assign(() => {
    collections += 1;
  }) as typeof globalThis.gc;
  const heap = heapCollector();
  context.after(() => {
    heap.stop();
    globalThis.gc = before;
  });
  return { heap, clock: context.mock.timers, collected: () => collections };
}

test("collects once after a burst", (context) => {
  const { heap, clock, collected } = setUp(context);
  for (let count = 0; count < 3 * burst; count += 1) {
    heap.noteWork();
    clock.tick(100);
  }
  assert.equal(collected(), 0, "no collection during the burst");
  clock.tick(2000);
  assert.equal(collected(), 1);
  clock.tick(60_000);
  assert.equal(collected(), 1);
});

test("collects only after enough reconciliations, counted over time", (context) => {
  const { heap, clock, collected } = setUp(context);
  for (let count = 1; count < burst; count += 1) {
    heap.noteWork();
    clock.tick(10_000);
  }
  assert.equal(collected(), 0);
  heap.noteWork();
  clock.tick(2000);
  assert.equal(collected(), 1);
});

test("collects after the initial lists", (context) => {
  const { heap, clock, collected } = setUp(context);
  heap.noteWork(burst);
  clock.tick(2000);
  assert.equal(collected(), 1);
});
