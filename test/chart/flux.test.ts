import assert from "node:assert/strict";
import { test } from "node:test";
import { dump } from "js-yaml";
import { controlPlaneBinaries } from "../control-plane/binaries.ts";
import { startControlPlane } from "../control-plane/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { healthy } from "../support/kubelet.ts";
import { condition, fixture } from "../support/operator-fixture.ts";
import { databaseSecret, type Modification, onPostgresql, server } from "../support/servers.ts";
import { kustomizeController, startFlux } from "./flux.ts";

const unavailableReason = await controlPlaneBinaries().then(
  ({ kubeControllerManager }) => !kubeControllerManager && "KUBEBUILDER_ASSETS has no kube-controller-manager",
  (error: unknown) => String(error),
);
/** The deadline of a wait: health checks of Flux are seconds apart. */
const seconds = 120;

test("a repository that Flux's kustomize-controller applies", { skip: unavailableReason }, async (context) => {
  await kustomizeController();
  // Flux's CRDs are for the whole cluster, so this test has its own.
  const cluster = await startControlPlane();
  const { namespace, objects, kubelet } = await fixture(context, { cluster });
  const flux = await startFlux(cluster, namespace);
  context.after(async () => {
    if (!context.passed) context.diagnostic(flux.log().split("\n").slice(-30).join("\n"));
    await flux.stop();
    await cluster.close();
  });
  const files = (...modifications: readonly Modification[]) => ({
    "mlflow/database.yaml": dump({ apiVersion: "v1", kind: "Secret", ...databaseSecret }),
    "mlflow/server.yaml": dump(server("mlflow", onPostgresql, { "spec.replicas": 1 }, ...modifications)),
    "dependent/settings.yaml": dump({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "dependent" } }),
  });
  const readyOf = async (name: string) => {
    const { conditions = [], lastAppliedRevision } = await flux.status(name);
    const ready = conditions.find(({ type }) => type === "Ready");
    return { status: ready?.status, reason: ready?.reason, message: ready?.message ?? "", lastAppliedRevision };
  };
  const applied = (name: string, revision: string) =>
    eventually(async () => {
      const { status, lastAppliedRevision, message } = await readyOf(name);
      assert.deepEqual([status, lastAppliedRevision], ["True", revision], message);
    }, seconds);
  let first = "";

  await context.test("a dependent is applied only when the server is ready", async () => {
    kubelet.decide(() => ({ does: "nothing" }));
    first = await flux.publish(files());
    await flux.kustomization("mlflow", { path: "./mlflow", targetNamespace: namespace });
    const dependsOn = [{ name: "mlflow" }];
    await flux.kustomization("dependent", { path: "./dependent", targetNamespace: namespace, dependsOn });
    await eventually(async () => {
      assert.equal((await readyOf("mlflow")).reason, "Progressing");
      assert.equal((await readyOf("dependent")).reason, "DependencyNotReady");
      assert.equal(condition(await objects.the("MlflowServer", "mlflow"), "Ready").status, "False");
    }, seconds);
    assert.equal(await objects.get("ConfigMap", "dependent"), undefined);
    kubelet.decide(healthy);
    await applied("mlflow", first);
    assert.equal(condition(await objects.the("MlflowServer", "mlflow"), "Ready").status, "True");
    await applied("dependent", first);
    await objects.the("ConfigMap", "dependent");
  });

  await context.test("drift of the spec is repaired, and nothing else is written", async () => {
    const reconciled = async () => {
      const request = await flux.reconcile("mlflow");
      await eventually(async () => {
        assert.equal((await flux.status("mlflow")).lastHandledReconcileAt, request);
      }, seconds);
      await applied("mlflow", first);
    };
    await objects.patch("MlflowServer", "mlflow", { spec: { replicas: 3 } });
    await reconciled();
    const repaired = await objects.the("MlflowServer", "mlflow");
    assert.equal(repaired.spec.replicas, 1);
    await reconciled();
    assert.equal((await objects.the("MlflowServer", "mlflow")).metadata.generation, repaired.metadata.generation);
  });

  await context.test(
    "a server that cannot be reconciled fails the revision, and the former revision is a rollback",
    async () => {
      const { metadata } = await objects.the("Deployment", "mlflow");
      await flux.publish(files({ "spec.backendStore.postgresql.credentialsSecretRef.name": "missing" }));
      await eventually(async () => {
        const { status, reason, message, lastAppliedRevision } = await readyOf("mlflow");
        assert.deepEqual([status, reason], ["False", "HealthCheckFailed"], message);
        assert.match(message, /MlflowServer\/[\w-]+\/mlflow/);
        assert.equal(lastAppliedRevision, first);
      }, seconds);
      const stalled = condition(await objects.the("MlflowServer", "mlflow"), "Stalled");
      assert.equal(stalled.status, "True", stalled.message);
      assert.equal((await objects.the("Deployment", "mlflow")).metadata.generation, metadata.generation);
      await applied("mlflow", await flux.publish(files()));
      assert.equal(condition(await objects.the("MlflowServer", "mlflow"), "Ready").status, "True");
    },
  );

  await context.test(
    "a server that is removed from the repository is deleted, and its Secret in the repository stays",
    async () => {
      const { "mlflow/server.yaml": _, ...others } = files();
      await applied("mlflow", await flux.publish(others));
      await eventually(async () => {
        assert.equal(await objects.get("MlflowServer", "mlflow"), undefined);
        assert.equal(await objects.get("Deployment", "mlflow"), undefined);
      }, seconds);
      await objects.the("Secret", "database");
    },
  );
});
