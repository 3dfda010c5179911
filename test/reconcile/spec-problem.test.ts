import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowWorkspaceAccess } from "../../src/api/workspace-access.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import { type SpecProblem, unsupportedSpec } from "../../src/reconcile/spec-problem.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import type { WorkspaceObject } from "../../src/reconcile/workspace/workspace-cluster.ts";
import { workspacePlan } from "../../src/reconcile/workspace/workspace-plan.ts";
import { server } from "../support/fixtures.ts";
import { access, grantTo, tracking, workspace } from "../support/workspaces.ts";

describe("a spec that the operator does not support", () => {
  const of = server(Object.assign({ authentication: { saml: {} } }));
  const cause = unsupportedSpec("MlflowServer", of.spec);

  test("is reported with its paths and the fix", () => {
    assert.equal(cause?.reason, "UnsupportedField");
    assert.match(cause?.message ?? "", /spec\.authentication\.saml; spec\.authentication has none of basic, /);
    assert.match(cause?.message ?? "", /Upgrade the operator/);
  });

  test("is one without its authentication method", () => {
    assert.equal(unsupportedSpec("MlflowServer", server({ authentication: {} }).spec)?.reason, "UnsupportedField");
  });

  test("keeps the previous status of all fields that depend on the spec", () => {
    assert.ok(cause !== undefined);
    const lastTransitionTime = "2026-01-01T00:00:00Z";
    const database: Condition = {
      type: "DatabaseReady",
      status: "True",
      reason: "MigrationComplete",
      message: "m",
      observedGeneration: 1,
      lastTransitionTime,
    };
    const before = {
      authentication: "Basic",
      version: "3.17.2",
      addresses: ["a.example.com/"],
      conditions: [database],
    };
    const status = statusOf(
      { server: { ...of, metadata: { ...of.metadata, generation: 2 }, status: before }, owned: [], now: new Date(0) },
      { state: "stalled", cause, isUnread: true },
    );
    const { authentication, version, addresses } = status;
    assert.deepEqual({ authentication, version, addresses, conditions: [database] }, before);
    const states = status.conditions?.map(({ type, status: is, observedGeneration }) => [type, is, observedGeneration]);
    assert.deepEqual(states, [
      ["Ready", "False", 2],
      ["Reconciling", "False", 2],
      ["Stalled", "True", 2],
      ["DatabaseReady", "True", 1],
      ["Available", "False", 2],
      ["EndpointSecured", "Unknown", 2],
    ]);
  });
});

describe("a workspace", () => {
  const observed = { namespace: workspace(), isMutatedByAdmission: () => false, now: new Date(0) };
  const planFor = (
    servers: readonly ReturnType<typeof tracking>[],
    accesses: readonly MlflowWorkspaceAccess[],
    granted: readonly WorkspaceObject[] = [],
  ) => {
    const unknown = [
      ...servers.filter(({ spec }) => unsupportedSpec("MlflowServer", spec) !== undefined),
      ...accesses.filter(({ spec }) => unsupportedSpec("MlflowWorkspaceAccess", spec) !== undefined),
    ];
    const problem: SpecProblem = { cause: { reason: "UnsupportedField", message: "m" }, isHidden: false };
    const problems = new Map(unknown.map((object) => [object, problem]));
    return workspacePlan({ ...observed, servers, accesses, granted, problems });
  };
  const granted = [tracking({ access: [grantTo("team", "Viewer")] })];
  const live = planFor(granted, [access()]).wanted;

  test("keeps the grants of a server, and gets no new ones", () => {
    const future = tracking(Object.assign({ access: [grantTo("others", "Viewer")], fromTheFuture: {} }));
    assert.deepEqual(planFor([future], [], live).steps, []);
    assert.deepEqual(planFor([future], [], []).steps, []);
  });

  test("keeps the role of the subjects of an access, and grants it to no others", () => {
    const future = access(
      Object.assign({
        subjects: [
          { kind: "User", name: "ada" },
          { kind: "User", name: "eve" },
        ],
        fromTheFuture: {},
      }),
    );
    assert.deepEqual(planFor(granted, [future], live).steps, []);
    const without = planFor(granted, [], live);
    assert.deepEqual(
      without.steps.map((step) => step.do),
      ["delete"],
    );
    assert.deepEqual(planFor(granted, [future], without.wanted).steps, []);
    const role = access(Object.assign({ role: "Owner" }));
    assert.ok(planFor(granted, [role], without.wanted).steps.length === 0);
  });
});
