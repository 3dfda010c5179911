import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../../src/api/server.ts";
import type { Namespace } from "../../../src/kube/manifests.ts";
import type { Cause } from "../../../src/reconcile/cause.ts";
import { summaryOf } from "../../../src/reconcile/workspace/summary.ts";
import { grantTo, tracking, workspace } from "../../support/workspaces.ts";

function summary(
  server: MlflowServer,
  namespaces: readonly Namespace[],
  states: Readonly<Record<string, Cause | "ready">>,
  failures: Readonly<Record<string, string>> = {},
) {
  const optedInNamespaces = namespaces.filter(
    ({ metadata }) => metadata.labels?.["mlflow-operator.dev/workspace-of"] === "mlflow",
  );
  return summaryOf(server, {
    optedInNamespaces,
    namespace: (name) => namespaces.find(({ metadata }) => metadata.name === name),
    failure: (name) => failures[name],
    state: (name) => {
      const verdict = states[name];
      return verdict === undefined ? undefined : new Map([["mlflow/tracking", verdict]]);
    },
  });
}

const [a, b] = [workspace("a"), workspace("b")];

describe("WorkspacesReady", () => {
  test("is True when all workspaces are ready", () => {
    const { ready, total, condition } = summary(tracking(), [a, b], { a: "ready", b: "ready" });
    assert.deepEqual([ready, total, condition.status, condition.reason], [2, 2, "True", "WorkspacesReady"]);
  });

  test("is not True before all have been checked", () => {
    const { ready, total, condition, isPartial } = summary(tracking(), [a, b], { a: "ready" });
    assert.deepEqual(
      [ready, total, condition.status, condition.reason, isPartial],
      [1, 2, "False", "Progressing", true],
    );
  });

  test("is Unknown if reconciliations of a namespace fail, with the cause", () => {
    const { ready, total, condition, isPartial } = summary(tracking(), [a, b], { a: "ready" }, { b: "timeout" });
    assert.deepEqual(
      [ready, total, condition.status, condition.reason, isPartial],
      [1, 2, "Unknown", "NotChecked", false],
    );
    assert.match(condition.message, /namespace b cannot be checked: timeout/);
  });

  test("lists the namespaces of a grant that are not labeled, with the command", () => {
    const server = tracking({ access: [grantTo("x", "Viewer", "a", "c", "d")] });
    const other = workspace("d", { "mlflow-operator.dev/workspace-of": "elsewhere" });
    const { ready, total, condition } = summary(server, [a, other], { a: "ready" });
    assert.deepEqual([ready, total, condition.status, condition.reason], [1, 3, "False", "WorkspaceOptInMissing"]);
    assert.match(condition.message, /^namespaces c, d do not exist or are not labeled/);
    assert.match(condition.message, /kubectl label namespace c mlflow-operator\.dev\/workspace-of=mlflow$/);
  });

  test("reports that the server's own selector does not match", () => {
    const server = tracking({ selector: { matchLabels: { tier: "x" } }, access: [grantTo("x", "Viewer", "a")] });
    const { condition } = summary(server, [a, workspace("b", { tier: "x" })], { b: "ready" });
    assert.equal(condition.reason, "WorkspaceNotServed");
    assert.match(condition.message, /namespace a: .*spec\.workspaces\.selector/);
  });

  test("reports the cause in one namespace; the others count", () => {
    const cause = {
      reason: "NameConflict",
      message: "ConfigMap/mlflow-client is not managed by this operator",
    } as const;
    const { ready, total, condition } = summary(tracking(), [a, b], { a: "ready", b: cause });
    assert.deepEqual([ready, total, condition.reason], [1, 2, "NameConflict"]);
    assert.match(condition.message, /^in namespace b: ConfigMap/);
  });

  test("lists at most eight namespaces", () => {
    const names = Array.from({ length: 20 }, (_, index) => `t${index + 10}`);
    const { condition } = summary(tracking({ access: [grantTo("x", "Viewer", ...names)] }), [], {});
    assert.match(condition.message, /t10, .* and 12 more/);
  });

  test("is False if no namespace is a workspace", () => {
    assert.equal(summary(tracking(), [], {}).condition.reason, "WorkspaceOptInMissing");
  });

  test("does not wait for a terminating namespace", () => {
    const going = workspace("b");
    going.metadata.deletionTimestamp = "2026-06-01T00:00:00Z";
    assert.deepEqual(summary(tracking(), [a, going], { a: "ready" }).total, 1);
  });
});
