import assert from "node:assert/strict";
import { test } from "node:test";
import { failureCounts, runOptions } from "./run-options.ts";

test("without options every file runs once, without CPU pressure", () => {
  assert.deepEqual(runOptions(["unit"]), { help: false, repeat: 1, cpuPressure: false, names: ["unit"] });
});

test("options can stand before and after the tier", () => {
  const expected = { help: false, repeat: 5, cpuPressure: true, names: ["apiserver"] };
  assert.deepEqual(runOptions(["--repeat", "5", "--cpu-pressure", "apiserver"]), expected);
  assert.deepEqual(runOptions(["apiserver", "--cpu-pressure", "--repeat=5"]), expected);
});

test("rejects unknown options and invalid numbers of runs", () => {
  for (const value of ["0", "1.5", "many", "", "1000"])
    assert.throws(() => runOptions([`--repeat=${value}`]), /--repeat is ".*": give a number of runs/, value);
  assert.throws(() => runOptions(["--repeta", "5"]), /Unknown option '--repeta'/);
});

test("lists each test that failed once, the most frequent first", () => {
  assert.deepEqual(failureCounts(["b > 1", "a > 1", "b > 1", "a > 0"], 5), [
    "2 of 5 runs failed: b > 1",
    "1 of 5 runs failed: a > 0",
    "1 of 5 runs failed: a > 1",
  ]);
  assert.deepEqual(failureCounts([], 5), []);
});
