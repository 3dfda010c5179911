import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerStatus } from "../../src/api/server.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { EndpointResults, Verdict } from "../../src/reconcile/endpoint-checks.ts";
import { serverEvents } from "../../src/reconcile/lifecycle-events.ts";
import type { Outcome } from "../../src/reconcile/outcome.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import type { Reported } from "../../src/reconcile/status-input.ts";
import { all, inputs, server } from "../support/fixtures.ts";

const ready: Outcome = { state: "ready", cause: { reason: "Ready", message: "m" } };
const expected: Verdict = { result: "expected" };
const resultsOf = (...verdicts: readonly Verdict[]): EndpointResults => ({
  generation: 1,
  verdicts: Object.fromEntries(verdicts.map((verdict, index) => [`${index}`, verdict])),
});
const open: Verdict = { result: "open", text: "pod x answered GET /api without a credential with 200" };
const unexpected: Verdict = { result: "unexpected", text: "pod x answered GET /api with 302 to https://example.com" };
const failed: Verdict = { result: "failed", text: "pod x did not answer GET /api: ECONNREFUSED" };

interface Given {
  readonly results?: EndpointResults;
  readonly of?: ReturnType<typeof server>;
  readonly status?: MlflowServerStatus;
  readonly without?: string;
  readonly hasNoPods?: true;
  readonly outcome?: Outcome;
  readonly mesh?: Reported["mesh"];
}

function statusGiven({ results, of = server(), status, without, hasNoPods, outcome = ready, mesh }: Given) {
  const reported: Reported = {
    server: { ...of, ...(status && { status }) },
    owned: all(inputs(of)).filter(({ kind }) => kind !== without),
    now: new Date(0),
    mesh,
    ...(!hasNoPods && { endpoints: { results } }),
  };
  return statusOf(reported, outcome);
}

const conditionIn = ({ conditions = [] }: MlflowServerStatus) => {
  const found = conditions.find(({ type }) => type === "EndpointSecured");
  assert.ok(found !== undefined);
  return found;
};
const of = (given: Given) => {
  const { status, reason } = conditionIn(statusGiven(given));
  return [status, reason];
};

const former: Condition = {
  type: "EndpointSecured",
  status: "True",
  reason: "Secured",
  message: "before",
  observedGeneration: 0,
  lastTransitionTime: "2020-01-01T00:00:00Z",
};

describe("EndpointSecured", () => {
  test("is True only if every probe was answered as it must be", () => {
    assert.deepEqual(of({ results: resultsOf(expected, expected) }), ["True", "Secured"]);
    assert.deepEqual(of({ results: resultsOf(expected, failed) }), ["Unknown", "ProbeFailed"]);
    assert.deepEqual(of({ results: resultsOf(expected, failed, unexpected) }), ["False", "UnexpectedResponse"]);
    assert.deepEqual(of({ results: resultsOf(failed, unexpected, open) }), ["False", "EndpointOpen"]);
  });

  test("says which request was answered, and how many more", () => {
    const { message } = conditionIn(statusGiven({ results: resultsOf(open, open, expected, open) }));
    assert.match(
      message,
      /^pod x answered GET \/api without a credential with 200 \(and 2 more\)\. .*networkPolicy\.from/,
    );
  });

  test("says plainly that a server is open because its spec asks for it", () => {
    const none = server({ authentication: { none: {} } });
    assert.deepEqual(of({ of: none, results: resultsOf(expected) }), ["False", "AuthenticationDisabled"]);
    assert.deepEqual(of({ of: none, results: resultsOf(open) }), ["False", "EndpointOpen"]);
    assert.deepEqual(of({ of: none, results: resultsOf(failed) }), ["Unknown", "ProbeFailed"]);
  });

  test("is Unknown while no pod is ready, and for a hibernated server", () => {
    assert.deepEqual(of({ hasNoPods: true }), ["Unknown", "NotChecked"]);
    assert.deepEqual(of({ hasNoPods: true, status: { conditions: [former] } }), ["Unknown", "NotChecked"]);
    const hibernated = server({ hibernate: true });
    assert.deepEqual(of({ hasNoPods: true, of: hibernated }), ["Unknown", "Hibernated"]);
  });

  test("is Unknown while the spec is not evaluated, because nothing is probed then", () => {
    const unread: Outcome = { state: "stalled", cause: { reason: "UnsupportedField", message: "m" }, isUnread: true };
    assert.deepEqual(of({ outcome: unread, hasNoPods: true, status: { conditions: [former] } }), [
      "Unknown",
      "NotChecked",
    ]);
  });

  test("stays as it was, with its generation, until this generation has been probed", () => {
    assert.deepEqual(of({}), ["Unknown", "NotChecked"]);
    assert.deepEqual(conditionIn(statusGiven({ status: { conditions: [former] } })), former);
    const results = { ...resultsOf(expected), generation: 0 };
    assert.deepEqual(of({ results }), ["Unknown", "NotChecked"]);
    assert.deepEqual(conditionIn(statusGiven({ results, status: { conditions: [former] } })), former);
  });

  test("is False if the NetworkPolicy is missing that the spec asks for", () => {
    const results = resultsOf(expected);
    assert.deepEqual(of({ results, without: "NetworkPolicy" }), ["False", "NetworkPolicyMissing"]);
    assert.deepEqual(of({ results, without: "NetworkPolicy", of: server({ networkPolicy: { enabled: false } }) }), [
      "True",
      "Secured",
    ]);
  });

  test("is False if the mesh does not deny traces at the listener, which relies on it alone", () => {
    const mesh = { status: "False", reason: "MeshNotEnforced", message: "open" } as const;
    const results = resultsOf(expected);
    assert.deepEqual(of({ results, mesh }), ["True", "Secured"]);
    const listening = server({ traces: { writers: [], identity: "Mesh" } });
    assert.deepEqual(of({ results, mesh, of: listening }), ["False", "EndpointOpen"]);
  });

  test("does not change Ready", () => {
    for (const results of [resultsOf(open), resultsOf(failed), resultsOf(expected)]) {
      const conditions = statusGiven({ results }).conditions ?? [];
      assert.deepEqual([conditions[0]?.type, conditions[0]?.status], ["Ready", "True"]);
    }
  });

  test("has an Event when it is secured after pods were replaced, which ends no problem", () => {
    const given: Given[] = [
      { results: resultsOf(open) },
      { hasNoPods: true },
      { results: resultsOf(failed) },
      { results: resultsOf(unexpected) },
      { results: resultsOf(expected) },
      { hasNoPods: true },
      { results: resultsOf(expected) },
    ];
    let status: MlflowServerStatus = { conditions: [former] };
    const seen = given.map((each) => {
      const [before, after] = [status, statusGiven({ ...each, status })];
      status = after;
      const events = serverEvents(before, after).filter(({ reason }) => reason.startsWith("Endpoint"));
      return [conditionIn(after).reason, after.endpointProblem, ...events.map(({ reason }) => reason)].join(" ");
    });
    assert.deepEqual(seen, [
      "EndpointOpen EndpointOpen EndpointOpen",
      "NotChecked EndpointOpen",
      "ProbeFailed EndpointOpen",
      "UnexpectedResponse EndpointOpen",
      "Secured  EndpointSecured",
      "NotChecked ",
      "Secured ",
    ]);
  });

  test("has an Event when an endpoint opens, and when it is secured again", () => {
    const steps = [
      [resultsOf(expected)],
      [resultsOf(open), "EndpointOpen"],
      [resultsOf(open, open)],
      [resultsOf(expected), "EndpointSecured"],
      [resultsOf(failed)],
      [resultsOf(expected)],
    ] as const;
    let status = statusGiven({});
    for (const [results, ...events] of steps) {
      const after = statusGiven({ results, status });
      assert.deepEqual(
        serverEvents(status, after).map(({ reason }) => reason),
        events,
      );
      status = after;
    }
  });

  test("has an Event when the NetworkPolicy is missing, and when it exists again", () => {
    const results = resultsOf(expected);
    const steps = [
      [{ results }],
      [{ results, without: "NetworkPolicy" }, "NetworkPolicyMissing"],
      [{ results, without: "NetworkPolicy" }],
      [{ results: resultsOf(open), without: "NetworkPolicy" }, "EndpointOpen"],
      [{ results }, "EndpointSecured"],
    ] as const;
    let status = statusGiven({});
    for (const [given, ...events] of steps) {
      const after = statusGiven({ ...given, status });
      assert.deepEqual(
        serverEvents(status, after).map(({ reason }) => reason),
        events,
      );
      status = after;
    }
  });
});
