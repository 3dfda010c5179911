import assert from "node:assert/strict";
import { test } from "node:test";
import { assertArrives, faults, initial, keyOf, passes, progress, type State, specs } from "./migration-states.ts";

const mostFaults = 3;

test("every state of a migration with three faults is safe, and converges to the spec", () => {
  const seen = new Map<string, number>();
  let layer: State[] = specs.map(initial);
  let count = 0;
  for (let spent = 0; spent <= mostFaults; spent += 1) {
    const next: State[] = [];
    const waiting = layer;
    while (waiting.length > 0) {
      const state = waiting.pop();
      assert.ok(state !== undefined);
      const key = keyOf(state);
      if (seen.has(key)) continue;
      seen.set(key, spent);
      count += 1;
      assertArrives(state, "whole");
      assertArrives(state, "cut off");
      // An interrupted reconciliation does not count as a fault: an operator can exit at any time.
      waiting.push(...passes(state), ...progress(state).map(([, after]) => after));
      if (spent < mostFaults) next.push(...faults(state).map(([, after]) => after));
    }
    layer = next;
  }
  assert.ok(count > 5000, `only ${count} states were seen`);
});
