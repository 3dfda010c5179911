import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMilliseconds } from "../../src/client/backoff.ts";

const bounds = { first: 0.2, longest: 15 };

test("the bound doubles with each failure up to the longest", () => {
  const longest = [1, 2, 3, 7, 8, 1000].map((failures) => backoffMilliseconds(failures, bounds, 0, () => 1));
  assert.deepEqual(longest, [200, 400, 800, 12_800, 15_000, 15_000]);
});

test("any wait below the bound is as likely", () => {
  assert.equal(
    backoffMilliseconds(3, bounds, 0, () => 0),
    0,
  );
  assert.equal(
    backoffMilliseconds(3, bounds, 0, () => 0.5),
    400,
  );
});

test("never less than the API server asks for", () => {
  assert.equal(
    backoffMilliseconds(1, bounds, 7, () => 0),
    7000,
  );
});
