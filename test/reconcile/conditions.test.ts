import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { conditionSections } from "../../scripts/generate/reference.ts";
import type { MlflowServerStatus } from "../../src/api/server.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { ServerCondition } from "../../src/reconcile/conditions/condition.ts";
import { reasonsOf, serverConditions } from "../../src/reconcile/conditions/index.ts";
import type { Outcome } from "../../src/reconcile/outcome.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { server } from "../support/fixtures.ts";

const ready: Outcome = { state: "ready", cause: { reason: "Ready", message: "m" } };
const unread: Outcome = { state: "stalled", cause: { reason: "UnsupportedField", message: "m" }, isUnread: true };

describe("a new condition", () => {
  /** As described in ARCHITECTURE.md: one file with this object, and an entry in the list. */
  const toy: ServerCondition = {
    type: "ToyReady",
    meaning: "With `spec.networkPolicy`: the toy works.",
    reasons: { ToyBroken: { meaning: "The toy is broken.", remedy: "Replace it." } },
    isOf: ({ networkPolicy }) => networkPolicy !== undefined,
    state: ({ outcome: { state } }) =>
      state === "ready"
        ? { status: "True", reason: "Ready", message: "The toy works." }
        : { status: "False", reason: "ToyBroken", message: "The toy is broken." },
  };
  const conditions = [...serverConditions, toy];
  const found = (
    outcome: Outcome,
    status: MlflowServerStatus = {},
    spec: Parameters<typeof server>[0] = { networkPolicy: {} },
  ) =>
    statusOf(
      { server: { ...server(spec), status }, owned: [], now: new Date(0) },
      outcome,
      conditions,
    ).conditions?.find(({ type }) => type === toy.type);
  const former: Condition = {
    type: toy.type,
    status: "True",
    reason: "Ready",
    message: "The toy worked.",
    observedGeneration: 0,
    lastTransitionTime: "2020-01-01T00:00:00Z",
  };

  test("is reported for each server that has it", () => {
    assert.deepEqual(found(ready), {
      ...{ type: "ToyReady", status: "True", reason: "Ready", message: "The toy works." },
      ...{ observedGeneration: 1, lastTransitionTime: "1970-01-01T00:00:00Z" },
    });
    assert.equal(found({ ...ready, state: "stalled" })?.reason, "ToyBroken");
    assert.equal(found(ready, {}, {}), undefined);
  });

  test("stays as it was while the spec is not evaluated, and is Unknown if it has not been computed before", () => {
    assert.deepEqual(found(unread, { conditions: [former] }), former);
    assert.deepEqual([found(unread)?.status, found(unread)?.reason], ["Unknown", "NotChecked"]);
  });

  test("is in the reference with its reasons", () => {
    const page = conditionSections(conditions).join("\n");
    assert.match(page, /\| `ToyReady` \| With `spec.networkPolicy`: the toy works. \|/);
    assert.match(page, /\| `ToyBroken` \| The toy is broken. \| Replace it. \|/);
  });
});

test("no two conditions have the same type, or define the same reason", () => {
  const types = serverConditions.map(({ type }) => type);
  assert.equal(new Set(types).size, types.length);
  const shared = Object.keys(reasonsOf([]));
  const own = serverConditions.flatMap(({ reasons = {} }) => Object.keys(reasons));
  assert.equal(new Set([...shared, ...own]).size, shared.length + own.length);
});
