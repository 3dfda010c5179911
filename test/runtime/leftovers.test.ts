import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { burst, leftovers } from "../../src/runtime/leftovers.ts";

/** How often the heap was collected, by a clock of the test's. */
function setUp(context: TestContext) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const before = globalThis.gc;
  let collections = 0;
  globalThis.gc = Object.assign(() => {
    collections += 1;
  }) as typeof globalThis.gc;
  const heap = leftovers();
  context.after(() => {
    heap.stop();
    globalThis.gc = before;
  });
  return { heap, clock: context.mock.timers, collected: () => collections };
}

test("a burst is collected once, when it is over", (context) => {
  const { heap, clock, collected } = setUp(context);
  for (let pass = 0; pass < 3 * burst; pass += 1) {
    heap.left();
    clock.tick(100);
  }
  assert.equal(collected(), 0, "while it goes on there is something else to do");
  clock.tick(2000);
  assert.equal(collected(), 1);
  clock.tick(60_000);
  assert.equal(collected(), 1);
});

test("a few passes are none, and add up", (context) => {
  const { heap, clock, collected } = setUp(context);
  for (let pass = 1; pass < burst; pass += 1) {
    heap.left();
    clock.tick(10_000);
  }
  assert.equal(collected(), 0);
  heap.left();
  clock.tick(2000);
  assert.equal(collected(), 1);
});

test("lists are a burst by themselves", (context) => {
  const { heap, clock, collected } = setUp(context);
  heap.left(burst);
  clock.tick(2000);
  assert.equal(collected(), 1);
});
