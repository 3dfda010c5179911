import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { renderingIn } from "../../src/resources/rendering.ts";
import { all, deploymentOf, inputs, postgresql, secret, server } from "../support/fixtures.ts";

const shared: Partial<MlflowServerSpec> = {
  backendStore: { postgresql },
  artifactStore: { s3: { bucket: "models" } },
};
const database = [secret("db", { username: "mlflow", password: "a" })];

const inputsOf = (spec: Partial<MlflowServerSpec>) => inputs(server({ ...shared, ...spec }), database);
const replicasOf = (spec: Partial<MlflowServerSpec>) => deploymentOf(inputsOf(spec)).spec.replicas;

function autoscalerOf(spec: Partial<MlflowServerSpec>) {
  const found = all(inputsOf(spec)).find((manifest) => manifest.kind === "HorizontalPodAutoscaler");
  return found?.kind === "HorizontalPodAutoscaler" ? found.spec : undefined;
}

describe("autoscaling", () => {
  test("scales the MlflowServer by the CPU usage of MLflow's container alone, which has a request", () => {
    const autoscaling = { minReplicas: 2, maxReplicas: 6, targetCPUUtilization: 60 };
    const spec = autoscalerOf({ autoscaling });
    assert.deepEqual(spec?.scaleTargetRef, {
      apiVersion: "mlflow-operator.dev/v1alpha1",
      kind: "MlflowServer",
      name: "demo",
    });
    assert.deepEqual([spec?.minReplicas, spec?.maxReplicas], [2, 6]);
    const [metric, ...others] = spec?.metrics ?? [];
    assert.deepEqual(others, []);
    assert.deepEqual(metric?.containerResource?.target, { type: "Utilization", averageUtilization: 60 });
    const measured = deploymentOf(inputsOf({ autoscaling })).spec.template.spec?.containers.filter(
      ({ name }) => name === metric?.containerResource?.container,
    );
    assert.deepEqual(
      measured?.map(({ resources }) => resources?.requests?.["cpu"]),
      ["100m"],
    );
  });

  test("has a minimum of one pod and a target of 80 percent by default", () => {
    const spec = autoscalerOf({ autoscaling: { maxReplicas: 2 } });
    assert.equal(spec?.minReplicas, 1);
    assert.equal(spec?.metrics?.[0]?.containerResource?.target.averageUtilization, 80);
  });

  test("has no HorizontalPodAutoscaler without pods", () => {
    const autoscaling = { maxReplicas: 2 };
    for (const spec of [{}, { autoscaling, hibernate: true }, { autoscaling, replicas: 0 }]) {
      assert.equal(autoscalerOf(spec), undefined);
      if (spec.autoscaling) assert.equal(replicasOf(spec), 0);
    }
  });

  test("keeps the number of pods within its limits, with any value that a client has written", () => {
    const autoscaling = { minReplicas: 2, maxReplicas: 4 };
    for (const [replicas, expected] of [
      [1, 2],
      [2, 2],
      [3, 3],
      [4, 4],
      [9, 4],
    ] as const)
      assert.equal(replicasOf({ autoscaling, replicas }), expected, String(replicas));
  });

  test("keeps the budget for evictions while one pod is enough, and the pod template", () => {
    const kinds = (spec: Partial<MlflowServerSpec>) => all(inputsOf(spec)).map(({ kind }) => kind);
    assert.ok(kinds({ autoscaling: { maxReplicas: 2 } }).includes("PodDisruptionBudget"));
    assert.ok(!kinds({ autoscaling: { maxReplicas: 1 } }).includes("PodDisruptionBudget"));
    const renderings = [{}, { autoscaling: { maxReplicas: 2 } }, { autoscaling: { maxReplicas: 3 }, replicas: 3 }];
    const [first, ...others] = renderings.map((spec) => renderingIn(deploymentOf(inputsOf(spec))));
    assert.ok(first);
    for (const other of others) assert.deepEqual(other, first);
  });
});
