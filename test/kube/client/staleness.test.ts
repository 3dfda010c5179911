import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ListWatchState } from "../../../src/kube/client/list-watch.ts";
import { staleWatches, watchProblem } from "../../../src/kube/client/staleness.ts";
import { ApiError } from "../../../src/kube/errors.ts";

const limits = { rejectedSeconds: 30, staleSeconds: 240 };
const healthy: ListWatchState = {
  isSynced: true,
  failures: 0,
  ageSeconds: 50,
  rejectedSeconds: 0,
  healthySeconds: 1000,
  idleSeconds: 50,
  error: undefined,
};
const error = (status: number, reason: string) => new ApiError("GET", "/jobs", { status, reason, detail: "no" });
const rejected: ListWatchState = {
  ...healthy,
  failures: 9,
  ageSeconds: 40,
  rejectedSeconds: 31,
  healthySeconds: 0,
  error: error(403, "Forbidden"),
};
const idle: ListWatchState = { ...healthy, ageSeconds: 250 };
const unavailable: ListWatchState = { ...idle, failures: 9, healthySeconds: 0, error: error(0, "ECONNREFUSED") };

const problem = (states: Readonly<Record<string, ListWatchState>>) => watchProblem(states, states, limits);

describe("the cached state of a server can be outdated", () => {
  test("if a watch has been rejected for some time, or delivers nothing while others do", () => {
    assert.match(problem({ pods: healthy, jobs: rejected }) ?? "", /cannot watch jobs \(403 Forbidden\)$/);
    assert.match(problem({ pods: healthy, jobs: idle }) ?? "", /cannot watch jobs \(it delivers nothing\)$/);
    assert.match(problem({ pods: healthy, jobs: unavailable }) ?? "", /cannot watch jobs \(ECONNREFUSED\)$/);
    assert.match(problem({ jobs: rejected, pods: rejected }) ?? "", /cannot watch jobs .*, pods /, "all of them");
  });

  test("but not after a moment, during an outage of the API server or shortly after it", () => {
    assert.equal(problem({ pods: healthy, jobs: { ...rejected, rejectedSeconds: 29 } }), undefined);
    assert.equal(problem({ pods: healthy, jobs: { ...idle, ageSeconds: 239 } }), undefined);
    assert.equal(problem({ pods: unavailable, jobs: unavailable }), undefined);
    assert.equal(problem({ pods: { ...healthy, healthySeconds: 29 }, jobs: unavailable }), undefined);
  });

  test("only for watches that the server depends on", () => {
    assert.equal(watchProblem({ pods: healthy }, { pods: healthy, routes: rejected }, limits), undefined);
  });
});

test("readyz lists each resource that is not listed or stale, with the response", () => {
  assert.equal(staleWatches({ pods: healthy }, limits), undefined);
  const starting = { ...healthy, isSynced: false, ageSeconds: 2 };
  assert.equal(
    staleWatches({ pods: healthy, secrets: starting, jobs: rejected, services: unavailable }, limits),
    "secrets: not listed yet\njobs: nothing for 40 s, GET /jobs: 403 Forbidden: no\nservices: nothing for 250 s, GET /jobs: ECONNREFUSED: no",
  );
});
