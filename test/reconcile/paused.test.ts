import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment, Owned } from "../../src/kube/manifests.ts";
import { annotation } from "../../src/kube/names.ts";
import type { Installation } from "../../src/model/inputs.ts";
import { isPaused } from "../../src/reconcile/conditions/paused.ts";
import type { ObservedState } from "../../src/reconcile/observed-state.ts";
import { pausedOutcome } from "../../src/reconcile/paused-outcome.ts";
import { failedChecks } from "../../src/reconcile/preflight-checks.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { all, completedJob, inputs, jobOf, recordOf, server, startedJob } from "../support/fixtures.ts";

type Spec = Parameters<typeof server>[0];

const up = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };

function withPause(of: MlflowServer, value = "true"): MlflowServer {
  return { ...of, metadata: { ...of.metadata, annotations: { [annotation.paused]: value } } };
}

interface Situation {
  /** The spec of the objects that exist; default: that of the server. */
  readonly applied?: Spec;
  readonly pods?: Deployment["status"];
  readonly isLeftOut?: (object: Owned) => boolean;
  readonly installation?: Partial<Installation>;
  readonly record?: ReturnType<typeof recordOf> | undefined;
  readonly isMigrating?: boolean;
}

/** The observed state of a paused server. */
function observedOf(spec: Spec, situation: Situation = {}): ObservedState {
  const { applied = spec, pods = up, isLeftOut = () => false, isMigrating = false } = situation;
  const before = inputs(server(applied));
  const owned = all(before)
    .map((manifest): Owned => {
      if (manifest.kind === "Job") return isMigrating ? startedJob(manifest) : completedJob(manifest);
      if (manifest.kind !== "Deployment") return manifest;
      return { ...manifest, metadata: { ...manifest.metadata, generation: 2 }, status: pods };
    })
    .filter((object) => !isLeftOut(object));
  const migration = "record" in situation ? situation.record : recordOf(jobOf(before));
  const of = { ...withPause(server(spec)), status: { ...(migration && { migration }) } };
  const wanted = inputs(of);
  const installation = { ...wanted.installation, ...situation.installation };
  return {
    server: of,
    owned,
    references: wanted.references,
    model: resolve({ ...wanted, installation }),
    installation,
    ...{ unmanaged: [], granted: [], isMutatedByAdmission: () => false, now: new Date(0) },
  };
}

function reported(observed: ObservedState) {
  const outcome = pausedOutcome(observed);
  assert.equal(outcome.isInterim, undefined, "the outcome is not reported");
  const status = statusOf(observed, outcome);
  const condition = (type: string) => {
    const found = status.conditions?.find((each) => each.type === type);
    return found && `${found.status} ${found.reason}`;
  };
  const message = (type: string) => status.conditions?.find((each) => each.type === type)?.message ?? "";
  return { status, condition, message };
}

describe("a paused server", () => {
  test("is Ready if its pods are those of the spec and are ready, and has the condition Paused", () => {
    const { condition, message } = reported(observedOf({}));
    assert.deepEqual([condition("Ready"), condition("Stalled")], ["True Ready", "False NotStalled"]);
    assert.equal(condition("Paused"), "True Paused");
    assert.match(message("Paused"), /changes nothing for this server but its status.* Remove the annotation to resume/);
  });

  test("is not Ready while its pods are not", () => {
    const { condition } = reported(observedOf({}, { pods: { ...up, availableReplicas: 0 } }));
    assert.deepEqual([condition("Ready"), condition("Reconciling")], ["False Progressing", "True Progressing"]);
  });

  const changes: Readonly<Record<string, Spec>> = {
    "of the pods": { server: { workers: 2 } },
    "of the number of pods": { hibernate: true },
  };
  for (const [what, spec] of Object.entries(changes)) {
    const installations: readonly Partial<Installation>[] = [{}, { upgrade: { revision: "new", concurrency: 1 } }];
    for (const installation of installations)
      test(`is Stalled while a change ${what} waits${installation.upgrade ? ", and has upgrade settings" : ""}`, () => {
        const { condition, message } = reported(observedOf(spec, { applied: {}, installation }));
        assert.deepEqual([condition("Ready"), condition("Stalled")], ["False Paused", "True Paused"]);
        assert.match(
          message("Stalled"),
          /does not apply the changes of Deployment demo.* Remove the annotation to apply/,
        );
        assert.equal(condition("Paused"), "True Paused");
      });
  }

  test("is Ready while another object than its pods differs", () => {
    const { condition } = reported(observedOf({}, { isLeftOut: ({ kind }) => kind === "Service" }));
    assert.deepEqual([condition("Ready"), condition("Paused")], ["True Ready", "True Paused"]);
  });

  test("is Ready while an upgrade of the operator has not changed its pods yet", () => {
    const observed = observedOf({}, { installation: { upgrade: { revision: "new", concurrency: 1 } } });
    const installation = { ...observed.installation, imageRepository: "registry.example.com/other" };
    const of = { ...observed.server, status: reported(observed).status };
    const model = resolve({ ...inputs(of), installation });
    const { condition } = reported({ ...observed, server: of, installation, model });
    assert.equal(condition("Ready"), "True Ready");
    assert.equal(condition("UpgradePending"), undefined);
  });

  test("that has no objects yet is Stalled, and records no migration", () => {
    const { condition, status, message } = reported(observedOf({}, { isLeftOut: () => true, record: undefined }));
    assert.deepEqual([condition("Stalled"), condition("Available")], ["True Paused", "False NotStarted"]);
    assert.equal(status.migration, undefined);
    assert.match(message("Stalled"), /and \d more; what runs keeps running/);
  });

  test("reports a migration that runs", () => {
    const { condition } = reported(
      observedOf({}, { isMigrating: true, isLeftOut: ({ kind }) => kind === "Deployment", record: undefined }),
    );
    assert.equal(condition("Reconciling"), "True MigrationRunning");
  });

  test("reports a failed preflight check", () => {
    const adminCredentialsSecretRef = { name: "none" };
    const observed = observedOf({ authentication: { basic: { adminCredentialsSecretRef } } }, { applied: {} });
    assert.equal(pausedOutcome(observed).cause.reason, "SecretNotFound");
  });
});

describe("the annotation paused", () => {
  test("pauses with true alone", () => {
    assert.deepEqual([isPaused(withPause(server())), isPaused(withPause(server(), "false"))], [true, false]);
    assert.equal(isPaused(server()), false);
  });

  for (const value of ["yes", "True", "1", "", " true", "x".repeat(10_000)]) {
    test(`is reported with the value ${JSON.stringify(value.slice(0, 10))}, and nothing is applied`, () => {
      const observed = { ...observedOf({}), server: withPause(server(), value) };
      const [failed, ...others] = failedChecks(observed);
      assert.deepEqual([failed?.reason, others], ["InvalidAnnotation", []]);
      assert.match(
        failed?.message ?? "",
        /^The annotation mlflow-operator.dev\/paused of MlflowServer demo is ".*" and must be "true" or "false", so nothing is applied.* Set it to "true"/,
      );
      assert.ok((failed?.message.length ?? 0) < 400);
    });
  }

  test("is not reported with false", () => {
    assert.deepEqual(failedChecks({ ...observedOf({}), server: withPause(server(), "false") }), []);
  });
});
