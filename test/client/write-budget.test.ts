import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventLimit } from "../../src/client/event-limit.ts";
import { writeBudget } from "../../src/client/write-budget.ts";
import { type ManagedFields, managersOf } from "../../src/kube/client/managed-fields.ts";
import type { ReportedEvent } from "../../src/reconcile/cluster.ts";
import { configMap } from "../support/fixtures.ts";

const manifest = configMap("a", { key: "value" });
const path = ".data.key";

describe("the write budget", () => {
  test("repairs the first changes immediately, and later ones after growing delays of at most five minutes", () => {
    let time = 0;
    const budget = writeBudget(() => time);
    const pauses: number[] = [];
    for (let writes = 0; writes < 16; writes += 1) {
      const found = budget.repeatedConflict(manifest, path);
      pauses.push(found?.seconds ?? 0);
      time += found?.seconds ?? 0;
      assert.equal(budget.repeatedConflict(manifest, path), undefined);
      budget.note(manifest, path);
      time += 0.1;
    }
    assert.deepEqual(pauses.slice(0, 6), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(
      pauses.slice(6).map((pause) => Math.round(pause)),
      [10, 20, 40, 80, 160, 300, 300, 300, 300, 300],
    );
  });

  test("counts each field separately, and restarts after a change of the desired value", () => {
    const budget = writeBudget(() => 0);
    for (let writes = 0; writes < 9; writes += 1) budget.note(manifest, path, ["flipper"]);
    assert.deepEqual(budget.repeatedConflict(manifest, path)?.managers, ["flipper"]);
    assert.equal(budget.repeatedConflict(manifest, ".data.other"), undefined);
    assert.equal(budget.repeatedConflict(configMap("a", { key: "new" }), path), undefined);
    assert.equal(budget.repeatedConflict(configMap("b", { key: "value" }), path), undefined);
  });

  test("restarts after 15 minutes without a repeat", () => {
    let time = 0;
    const budget = writeBudget(() => time);
    for (let writes = 0; writes < 9; writes += 1) budget.note(manifest, path);
    time += 901;
    assert.equal(budget.repeatedConflict(manifest, path), undefined);
    budget.note(manifest, path);
    assert.equal(budget.repeatedConflict(manifest, path), undefined);
  });
});

describe("the limit of events", () => {
  const event = (message: string, type: ReportedEvent["type"] = "Warning"): ReportedEvent => {
    return { type, reason: "SecretNotFound", action: "Reconcile", message };
  };

  test("allows the same warning once in ten minutes", () => {
    let time = 0;
    const limit = eventLimit(() => time);
    assert.deepEqual(
      [limit.allows("a", event("m")), limit.allows("a", event("m")), limit.allows("b", event("m"))],
      [true, false, true],
    );
    time = 601;
    assert.equal(limit.allows("a", event("m")), true);
  });

  test("allows a burst of 25 Events of a server, and then one a minute", () => {
    let time = 0;
    const limit = eventLimit(() => time);
    const recorded = () => Array.from({ length: 100 }, (_, index) => limit.allows("a", event(`${time} ${index}`)));
    assert.equal(recorded().filter(Boolean).length, 25);
    time = 180;
    assert.equal(recorded().filter(Boolean).length, 3);
    assert.equal(limit.allows("b", event("m")), true);
  });
});

test("finds the managers of a field by its path", () => {
  const image = { "f:spec": { "f:containers": { 'k:{"name":"mlflow"}': { "f:image": {} } } } };
  const entries: ManagedFields[] = [
    { manager: "mlflow-operator", fieldsV1: image },
    { manager: "flipper", fieldsV1: image },
    { manager: "labeller", fieldsV1: { "f:metadata": { "f:labels": { "f:a": {} } } } },
    { manager: "atomic", fieldsV1: { "f:spec": {} } },
  ];
  const of = (field: string) => managersOf(entries, field, "mlflow-operator");
  assert.deepEqual(of(".spec.containers[0].image"), ["atomic", "flipper"]);
  assert.deepEqual(of(".metadata.labels.a"), ["labeller"]);
  assert.deepEqual(of(".metadata.labels.b"), []);
});
