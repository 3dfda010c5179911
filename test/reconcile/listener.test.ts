import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { AuthorizationPolicy, Owned } from "../../src/kube/manifests.ts";
import { type MeshMode, meshSteps, meshStepsOf } from "../../src/model/mesh.ts";
import { meshOf } from "../../src/reconcile/mesh.ts";
import { listenerDeletions } from "../../src/reconcile/prune-steps.ts";
import { all, inputs, pod, postgresql, server } from "../support/fixtures.ts";
import {
  acceptedPolicy,
  denied,
  enrolledPod,
  meshView,
  processedByIstio,
  waypointDeployment,
} from "../support/istio.ts";

const writers = [{ namespace: "agents", serviceAccount: "otel-collector" }];
const listening = (mode: MeshMode, more: Partial<MlflowServer["spec"]> = {}) =>
  server({
    backendStore: { postgresql },
    traces: { writers, identity: "Mesh" },
    mesh: { istio: { mode } },
    ...more,
  });
const annotations = {
  Ambient: { "ambient.istio.io/redirection": "enabled" },
  Sidecar: { "sidecar.istio.io/status": "{}" },
};

/** The objects of a server with these steps, all accepted by Istio, with an available listener. */
function world(of: MlflowServer, mode: MeshMode, steps = meshStepsOf(of)): Owned[] {
  const objects = all({ ...inputs(of), mesh: new Set(steps) }).map(processedByIstio);
  return [...objects.map(answering), enrolledPod(annotations[mode])];
}

function answering(object: Owned): Owned {
  return object.kind === "Deployment" ? { ...object, status: { availableReplicas: 1 } } : object;
}

const isOpen = (...args: Parameters<typeof meshView>) => meshOf(meshView(...args)).steps.has("listener");

for (const mode of ["Ambient", "Sidecar"] as const) {
  describe(`the listener for traces in ${mode} mode`, () => {
    const of = listening(mode);
    const whole = world(of, mode);

    test("starts last, when all policies that deny other clients are verified", () => {
      const main = meshSteps[mode];
      assert.ok(!isOpen(of, world(of, mode, main)));
      assert.ok(meshOf(meshView(of, world(of, mode, main))).steps.has("writers"));
      assert.ok(isOpen(of, world(of, mode, [...main, "writers"])));
      const { condition } = meshOf(meshView(of, whole));
      assert.equal(condition?.status, "True", condition?.message ?? "");
      assert.match(
        condition?.message ?? "",
        /with their mesh identity alone at http:\/\/demo-traces\.team-a:4318\/v1\/traces/,
      );
    });

    test("stops if a policy is no longer verified, and reports which", () => {
      const proofs = whole.filter(({ kind }) => kind === "AuthorizationPolicy" || kind === "Gateway");
      assert.ok(proofs.length >= 3);
      for (const lost of proofs) {
        const left = whole.filter((object) => object !== lost);
        assert.ok(!isOpen(of, left), lost.metadata.name);
        assert.equal(meshOf(meshView(of, left)).condition?.status, "False");
      }
      const outside = [...whole.filter(({ kind }) => kind !== "Pod"), enrolledPod({})];
      assert.ok(!isOpen(of, outside), "a pod outside the mesh");
      assert.ok(!isOpen(of, whole, { isAvailable: false }), "no Istio");
      assert.ok(!isOpen(of, whole, { otherResources: undefined }), "the namespace has not been checked");
      assert.ok(
        !isOpen(of, whole, { probes: () => ({ ...denied, notDenied: ["pod x answered"] }) }),
        "the operator got through",
      );
      if (mode === "Ambient") assert.ok(!isOpen(of, whole, { unmanaged: [waypointDeployment(0)] }), "no waypoint");
    });

    test("does not start before the first probe, and stays started after a restart of the operator", () => {
      const unknown = { probes: () => undefined };
      const shut = world(of, mode, [...meshSteps[mode], "writers"]);
      assert.ok(!isOpen(of, shut, unknown));
      const ready = { type: "MeshReady", status: "True", reason: "MeshEnforced", message: "", lastTransitionTime: "" };
      assert.ok(!isOpen({ ...of, status: { conditions: [ready] } } as MlflowServer, shut, unknown));
      assert.ok(isOpen(of, whole, unknown));
    });

    for (const [what, probes] of [
      ["some requests of the operator are", { ...denied, unanswered: ["pod x did not answer"] }],
      ["all of them are", { ...denied, unanswered: ["pod x did not answer"], denied: 0 }],
      ["none could be made, though none", { ...denied, denied: 0 }],
    ] as const)
      test(`does not start if ${what} neither denied nor answered, and is not stopped by it`, () => {
        const shut = world(of, mode, [...meshSteps[mode], "writers"]);
        assert.ok(!isOpen(of, shut, { probes: () => probes }));
        const { condition } = meshOf(meshView(of, shut, { probes: () => probes }));
        assert.deepEqual([condition?.status, condition?.reason], ["False", "MeshNotProbed"]);
        assert.ok(isOpen(of, whole, { probes: () => probes }));
      });

    test("stays started while its pods start", () => {
      const starting = whole.map((object) =>
        object.kind === "Deployment" && object.metadata.name === "demo-traces" ? { ...object, status: {} } : object,
      );
      assert.ok(isOpen(of, starting));
      assert.match(meshOf(meshView(of, starting)).condition?.message ?? "", /listener for traces has no available pod/);
    });

    test("does not exist without writers", () => {
      const withoutWriters = listening(mode, { traces: { writers: [], identity: "Mesh" } });
      const { steps, condition } = meshOf(meshView(withoutWriters, world(withoutWriters, mode)));
      assert.ok(!steps.has("writers") && !steps.has("listener"));
      assert.equal(condition?.status, "True");
    });

    test("is removed before the policies that protect it, which wait for its pods", () => {
      const without = listening(mode, { traces: { writers, identity: "Application" } });
      const lingering = pod("traces", {}, {});
      assert.ok(meshOf(meshView(without, whole)).steps.has("writers"));
      assert.ok(!isOpen(without, whole));
      const closed = whole.filter(({ kind, metadata }) => kind !== "Deployment" || metadata.name !== "demo-traces");
      assert.ok(meshOf(meshView(without, [...closed, lingering])).steps.has("writers"));
      assert.ok(!meshOf(meshView(without, closed)).steps.has("writers"));
      const plain = listening(mode, { traces: undefined, mesh: undefined } as Partial<MlflowServer["spec"]>);
      assert.ok(meshOf(meshView(plain, whole)).steps.has("writers"));
      assert.ok(!isOpen(plain, whole));
    });
  });
}

test("the listener for traces is stopped regardless of other problems, without waiting for a migration or a Secret", () => {
  const of = listening("Ambient");
  const whole = world(of, "Ambient").map(
    (object): Owned => ({ ...object, metadata: { ...object.metadata, uid: `uid-of-${object.metadata.name}` } }),
  );
  const observed = (steps: ReturnType<typeof meshOf>["steps"]) => {
    const wanted = { ...inputs(of), mesh: steps };
    const { installation, references } = wanted;
    const more = { isMutatedByAdmission: () => false, now: new Date(0), unmanaged: [], granted: [] };
    return { server: of, owned: whole, model: resolve(wanted), installation, references, ...more };
  };
  assert.deepEqual(listenerDeletions(observed(new Set(meshStepsOf(of)))), []);
  const lost = whole.filter(({ metadata }) => metadata.name !== "demo-traces-writers-only");
  const [step, ...others] = listenerDeletions(observed(meshOf(meshView(of, lost)).steps));
  assert.deepEqual(others, []);
  assert.ok(step?.do === "delete");
  assert.deepEqual([step.live.kind, step.live.metadata.name], ["Deployment", "demo-traces"]);
});

test("the listener for traces is stopped if ztunnel ignores a part of a policy", () => {
  const of = listening("Ambient");
  const dropped = world(of, "Ambient").map((object) =>
    object.metadata.name === "demo-traces-writers-only"
      ? acceptedPolicy(object as AuthorizationPolicy, { reason: "UnsupportedValue" })
      : object,
  );
  assert.ok(!isOpen(of, dropped));
});
