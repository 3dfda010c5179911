import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ListWatchState } from "../../src/client/list-watch.ts";
import { staleWatches, watchProblem } from "../../src/client/staleness.ts";
import { ApiError } from "../../src/kube/api-error.ts";

const limits = { rejectedSeconds: 30, staleSeconds: 240 };
const well: ListWatchState = {
  isSynced: true,
  failures: 0,
  ageSeconds: 50,
  rejectedSeconds: 0,
  healthySeconds: 1000,
  idleSeconds: 50,
  error: undefined,
};
const error = (status: number, reason: string) => new ApiError("GET", "/jobs", { status, reason, detail: "no" });
const refused: ListWatchState = {
  ...well,
  failures: 9,
  ageSeconds: 40,
  rejectedSeconds: 31,
  healthySeconds: 0,
  error: error(403, "Forbidden"),
};
const silent: ListWatchState = { ...well, ageSeconds: 250 };
const away: ListWatchState = { ...silent, failures: 9, healthySeconds: 0, error: error(0, "ECONNREFUSED") };

const problem = (states: Readonly<Record<string, ListWatchState>>) => watchProblem(states, states, limits);

describe("the cached state of a server can be outdated", () => {
  test("if a watch has been rejected for some time, or delivers nothing while others do", () => {
    assert.match(problem({ pods: well, jobs: refused }) ?? "", /cannot watch jobs \(403 Forbidden\)$/);
    assert.match(problem({ pods: well, jobs: silent }) ?? "", /cannot watch jobs \(it delivers nothing\)$/);
    assert.match(problem({ pods: well, jobs: away }) ?? "", /cannot watch jobs \(ECONNREFUSED\)$/);
    assert.match(problem({ jobs: refused, pods: refused }) ?? "", /cannot watch jobs .*, pods /, "all of them");
  });

  test("but not after a moment, during an outage of the API server or shortly after it", () => {
    assert.equal(problem({ pods: well, jobs: { ...refused, rejectedSeconds: 29 } }), undefined);
    assert.equal(problem({ pods: well, jobs: { ...silent, ageSeconds: 239 } }), undefined);
    assert.equal(problem({ pods: away, jobs: away }), undefined);
    assert.equal(problem({ pods: { ...well, healthySeconds: 29 }, jobs: away }), undefined);
  });

  test("only for watches that the server depends on", () => {
    assert.equal(watchProblem({ pods: well }, { pods: well, routes: refused }, limits), undefined);
  });
});

test("readyz lists each resource that is not listed or stale, with the response", () => {
  assert.equal(staleWatches({ pods: well }, limits), undefined);
  const begun = { ...well, isSynced: false, ageSeconds: 2 };
  assert.equal(
    staleWatches({ pods: well, secrets: begun, jobs: refused, services: away }, limits),
    "secrets: not listed yet\njobs: nothing for 40 s, GET /jobs: 403 Forbidden: no\nservices: nothing for 250 s, GET /jobs: ECONNREFUSED: no",
  );
});
