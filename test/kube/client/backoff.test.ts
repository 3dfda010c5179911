import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMilliseconds, jittered, retryBounds, timerMilliseconds } from "../../../src/kube/client/backoff.ts";
import { ApiError } from "../../../src/kube/errors.ts";

const bounds = { first: 0.2, longest: 15 };

test("the bound doubles with each failure up to the maximum", () => {
  const longest = [1, 2, 3, 7, 8, 1000].map((failures) => backoffMilliseconds(failures, bounds, 0, () => 1));
  assert.deepEqual(longest, [200, 400, 800, 12_800, 15_000, 15_000]);
});

test("delays below the bound are uniformly distributed", () => {
  assert.equal(
    backoffMilliseconds(3, bounds, 0, () => 0),
    0,
  );
  assert.equal(
    backoffMilliseconds(3, bounds, 0, () => 0.5),
    400,
  );
});

test("a delay is at least the Retry-After", () => {
  assert.equal(
    backoffMilliseconds(1, bounds, 7, () => 0),
    7000,
  );
});

test("delays with the same Retry-After do not end together", () => {
  assert.equal(
    backoffMilliseconds(1, bounds, 10, () => 1),
    11_000,
  );
  assert.deepEqual(
    [2, 3600].map((seconds) => jittered(seconds, () => 1)),
    [2.2, 3605],
  );
});

test("a timer delay is not negative and not above the maximum", () => {
  const weeks = 30 * 24 * 3600;
  const given = [1, weeks, Number.POSITIVE_INFINITY, -1, Number.NEGATIVE_INFINITY, Number.NaN];
  assert.deepEqual(given.map(timerMilliseconds), [1000, 2 ** 31 - 1, 2 ** 31 - 1, 0, 0, 60_000]);
});

test("Retry-After is the minimum delay, not the maximum", () => {
  const failure = (status: number, retryAfterSeconds?: number) =>
    new ApiError("PATCH", "/x", { status, reason: "r", detail: "d", retryAfterSeconds });
  assert.deepEqual(retryBounds(failure(503, 7)), { least: 7 });
  assert.deepEqual(retryBounds(failure(429, 7)), { least: 7, longest: 7 });
  assert.deepEqual(retryBounds(failure(429)), { least: 0, longest: 4 });
  assert.deepEqual(retryBounds(failure(500)), { least: 0 });
  assert.deepEqual(retryBounds(new Error("else")), { least: 0 });
});
