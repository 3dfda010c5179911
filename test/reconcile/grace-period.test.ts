import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import { timestamp } from "../../src/kube/conditions.ts";
import { observedSince, withGracePeriod } from "../../src/reconcile/grace-period.ts";
import { blocked } from "../../src/reconcile/outcome.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { inputs, server } from "../support/fixtures.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const missing = { reason: "SecretNotFound", message: "Secret db does not exist" } as const;
const wrong = { reason: "InvalidSecret", message: "Secret tls is not PEM" } as const;

/** The observed state of a reconciliation, this number of seconds after the first. */
function observed(of: MlflowServer, seconds: number, gracePeriodSeconds?: number) {
  const { installation, ...all } = inputs(of);
  return {
    ...{ server: of, owned: [], unmanaged: [], granted: [], model: resolve({ installation, ...all }) },
    references: all.references,
    installation: { ...installation, gracePeriodSeconds },
    isMutatedByAdmission: () => false,
    now: new Date(start + seconds * 1000),
  };
}

/** The server after a blocked reconciliation, and its outcome. */
function pass(of: MlflowServer, seconds: number, causes: Parameters<typeof blocked>[0] = [missing], period?: number) {
  const all = observed(of, seconds, period);
  const outcome = blocked(causes, all);
  const status = statusOf(all, outcome);
  const condition = (type: string) => status.conditions?.find((each) => each.type === type);
  return { server: { ...of, status }, outcome, condition };
}

describe("a reference that other clients may still create", () => {
  test("is Reconciling for two minutes of a generation, then Stalled after a timer", () => {
    let { server: current, outcome, condition } = pass(server(), 0);
    assert.deepEqual([outcome.state, outcome.againInSeconds], ["progressing", 120]);
    assert.deepEqual([condition("Reconciling")?.status, condition("Reconciling")?.reason], ["True", "SecretNotFound"]);
    assert.equal(condition("Stalled")?.status, "False");
    // Only the status passes the time from one reconciliation to the next, as after a restart.
    ({ server: current, outcome, condition } = pass(current, 90));
    assert.deepEqual([outcome.state, outcome.againInSeconds], ["progressing", 30]);
    ({ server: current, outcome, condition } = pass(current, 120));
    assert.deepEqual([outcome.state, outcome.againInSeconds], ["stalled", undefined]);
    assert.equal(condition("Stalled")?.reason, "SecretNotFound");
    const changed = { ...current, metadata: { ...current.metadata, generation: 2 } };
    assert.equal(pass(changed, 500).outcome.state, "progressing");
  });

  test("does not hide a problem that only a user can fix", () => {
    assert.equal(pass(server(), 0, [missing, wrong]).outcome.state, "stalled");
    assert.equal(pass(server(), 0, [wrong]).outcome.state, "stalled");
  });

  test("counts as missing immediately with a period of 0, and within the period after the clock is set back", () => {
    assert.equal(pass(server(), 0, [missing], 0).outcome.state, "stalled");
    const { server: current } = pass(server(), 100_000);
    assert.equal(pass(current, 0).outcome.state, "stalled");
    assert.equal(observedSince(current, new Date(start)).getTime(), start + 100_000_000);
  });

  test("is decided by the table of reasons", () => {
    const of = (reason: "DatabaseUnreachable" | "DatabaseAuthenticationFailed") =>
      withGracePeriod({ state: "stalled", cause: { reason, message: "" } }, observed(server(), 0)).state;
    assert.equal(of("DatabaseUnreachable"), "progressing");
    assert.equal(of("DatabaseAuthenticationFailed"), "stalled");
    assert.equal(timestamp(new Date(start)), "2026-01-01T00:00:00Z");
  });
});
