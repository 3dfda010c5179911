import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment, Manifest, Owned } from "../../src/kube/manifests.ts";
import { annotation } from "../../src/kube/names.ts";
import { isSame } from "../../src/reconcile/object-steps.ts";
import type { ObservedState } from "../../src/reconcile/observed-state.ts";
import { outcomeOf } from "../../src/reconcile/outcome.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { rotationStep } from "../../src/reconcile/rotation/rotation.ts";
import { serverEndpoints } from "../../src/reconcile/server-endpoints.ts";
import type { Step } from "../../src/reconcile/step.ts";
import { all, completedJob, inputs, jobOf, pod, postgresql, recordOf, secret, server } from "../support/fixtures.ts";

const references = [secret("db", { username: "mlflow", password: "p" })];
const plain: Partial<MlflowServerSpec> = {
  backendStore: { postgresql },
  artifactStore: { s3: { bucket: "models" } },
  exposure: { httpRoute: { parentRefs: [{ name: "platform" }], hostnames: ["mlflow.example.com"] } },
};
const apart: Partial<MlflowServerSpec> = { ...plain, artifactServer: { replicas: 2 } };

/** Which of the Deployments have all pods of their spec. */
type Ready = Readonly<Record<string, boolean>>;

function live(manifest: Manifest, ready: Ready): Owned {
  if (manifest.kind === "Job") return completedJob(manifest);
  if (manifest.kind !== "Deployment") return manifest;
  const { replicas = 1 } = manifest.spec;
  const available = ready[manifest.metadata.name] === false ? 0 : replicas;
  return { ...manifest, status: { replicas, updatedReplicas: replicas, availableReplicas: available } };
}

function objectsOf(spec: Partial<MlflowServerSpec>, ready: Ready = {}): Owned[] {
  return all(inputs(server(spec), references)).map((each) => live(each, ready));
}

function observed(spec: Partial<MlflowServerSpec>, owned: readonly Owned[], version?: string): ObservedState {
  const settled = recordOf(jobOf(inputs(server({ ...spec, ...(version && { version }) }), references)));
  const of = server(spec, { status: { migration: settled, version: version ?? "3.17.2" } });
  const wanted = inputs(of, references);
  const exposure = { routes: wanted.routes, keepsRoutes: false, addresses: [], isExclusive: true };
  return {
    ...{ server: of, owned, unmanaged: [], granted: [], references: wanted.references, now: new Date(0), exposure },
    ...{ model: resolve(wanted), installation: wanted.installation, isMutatedByAdmission: () => false },
  };
}

const stepText = (step: Step) => {
  const object = "live" in step ? step.live : "manifest" in step ? step.manifest : undefined;
  return [step.do, object?.kind, object?.metadata.name].filter(Boolean).join(" ");
};
const groupsOf = (state: ObservedState) => planOf(state).groups.map((group) => group.map(stepText));

describe("a server with pods for artifacts", () => {
  test("gets its routes to them only when they are ready", () => {
    const before = objectsOf(plain);
    const added = groupsOf(observed(apart, before)).flat();
    assert.deepEqual(added.sort(), [
      "apply Deployment demo",
      "create Deployment demo-artifacts",
      "create PodDisruptionBudget demo-artifacts",
      "create Service demo-artifacts",
    ]);
    const withoutRoute = (ready: Ready) => [
      ...objectsOf(apart, ready).filter(({ kind }) => kind !== "HTTPRoute"),
      ...before.filter(({ kind }) => kind === "HTTPRoute"),
    ];
    assert.deepEqual(groupsOf(observed(apart, withoutRoute({ "demo-artifacts": false }))).flat(), []);
    assert.deepEqual(groupsOf(observed(apart, withoutRoute({}))).flat(), ["apply HTTPRoute demo"]);
  });

  test("loses the routes to them before the pods", () => {
    const objects = objectsOf(apart);
    assert.deepEqual(groupsOf(observed(plain, objects)).flat(), ["apply Deployment demo"]);
    const written = (...kinds: readonly string[]) =>
      objects.map((each) => objectsOf(plain).find((other) => kinds.includes(each.kind) && isSame(each, other)) ?? each);
    assert.deepEqual(groupsOf(observed(plain, written("Deployment"))).flat(), ["apply HTTPRoute demo"]);
    assert.deepEqual(
      groupsOf(observed(plain, written("Deployment", "HTTPRoute")))
        .flat()
        .sort(),
      [
        "delete Deployment demo-artifacts",
        "delete PodDisruptionBudget demo-artifacts",
        "delete Service demo-artifacts",
      ],
    );
  });

  test("is Ready only with all of its pods", () => {
    const outcome = (ready: Ready) => {
      const state = observed(apart, objectsOf(apart, ready));
      return outcomeOf(state, planOf(state));
    };
    const { state, cause } = outcome({});
    assert.deepEqual(
      [state, cause.message.split(" at ")[0]],
      ["ready", "1 replica, and 2 for artifacts, of MLflow 3.17.2"],
    );
    for (const name of ["demo", "demo-artifacts"]) assert.equal(outcome({ [name]: false }).state, "progressing", name);
  });

  test("reports why its pods for artifacts do not start", () => {
    const waiting = { reason: "ImagePullBackOff", message: "no such image" };
    const failing = pod("artifacts", {
      phase: "Pending",
      containerStatuses: [
        { name: "mlflow", image: "", imageID: "", ready: false, restartCount: 0, state: { waiting } },
      ],
    });
    const state = observed(apart, [...objectsOf(apart, { "demo-artifacts": false }), failing]);
    const { cause } = outcomeOf(state, planOf(state));
    assert.match(cause.message, /no such image/);
  });

  test("stops all of them for a version that requires it", () => {
    const former = { ...apart, version: "3.16.1" } as const;
    const preflight = planOf(observed(apart, objectsOf(former), "3.16.1")).hold?.create;
    assert.ok(preflight !== undefined);
    const owned = [...objectsOf(former), completedJob(preflight)];
    const running = [pod("artifacts", { phase: "Running" })];
    assert.deepEqual(groupsOf(observed(apart, [...owned, ...running], "3.16.1")).flat(), [
      "apply Deployment demo",
      "apply Deployment demo-artifacts",
    ]);
    const stopped = owned.map((each) => (each.kind === "Deployment" ? scaledToZero(each) : each));
    assert.deepEqual(groupsOf(observed(apart, [...stopped, ...running], "3.16.1")).flat(), []);
    assert.ok(
      groupsOf(observed(apart, stopped, "3.16.1"))
        .flat()
        .some((text) => text.startsWith("create Job")),
    );
  });

  test("rotates a key only after all of its pods have the step before", () => {
    const requested = { [annotation.rotate]: "encryption-key:1" };
    const { metadata, ...rest } = server(apart);
    const of = { ...rest, metadata: { ...metadata, annotations: requested } };
    const given = inputs(of, references);
    const keyed = { ...given, session: { ...given.session, hashKey: "hash-key-of-tests", kekVersion: "1" } };
    const status = { version: "3.17.2", migration: recordOf(jobOf(keyed)) };
    const first = { ...keyed, server: { ...of, status } };
    const step = (from: typeof given, pods: typeof given, ready: Ready) => {
      const owned = all(pods).map((each) => live(each, ready));
      return rotationStep({ inputs: from, model: resolve(from), owned, warnings: new Map(), now: new Date(0) }).inputs;
    };
    const prepared = step(first, first, {});
    assert.ok(prepared.session.accepted?.kekPassphrase !== undefined);
    const key = first.session.kekPassphrase;
    assert.equal(step(prepared, prepared, { "demo-artifacts": false }).session.kekPassphrase, key);
    assert.notEqual(step(prepared, prepared, {}).session.kekPassphrase, key);
  });

  test("is probed at both Services and at pods of both kinds", () => {
    const ready = (component: "server" | "artifacts", index: number) =>
      ({
        ...pod(component, { podIP: `10.0.0.${index}`, conditions: [{ type: "Ready", status: "True" }] }),
        metadata: { ...pod(component, {}).metadata, name: `demo-${component}-${index}` },
      }) as Owned;
    const services = objectsOf(apart).flatMap((each) =>
      each.kind === "Service" ? [{ ...each, spec: { ...each.spec, clusterIP: "10.96.0.1" } }] : [],
    );
    const pods = [1, 2, 3, 4].flatMap((index) => [ready("server", index), ready("artifacts", index)]);
    const found = serverEndpoints(server(apart), [...services, ...pods]);
    assert.deepEqual(
      [...(found?.services ?? []), ...(found?.pods ?? [])].map(({ endpoint }) => endpoint.what),
      [
        ...["Service/demo", "Service/demo-artifacts", "pod demo-server-1", "pod demo-server-2"],
        ...["pod demo-artifacts-1", "pod demo-artifacts-2"],
      ],
    );
  });
});

function scaledToZero(deployment: Deployment): Deployment {
  return { ...deployment, spec: { ...deployment.spec, replicas: 0 }, status: {} };
}
