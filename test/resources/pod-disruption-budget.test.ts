import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { all, deploymentOf, inputs, server } from "../support/fixtures.ts";

function budgetOf(spec: Partial<MlflowServerSpec>) {
  const found = all(inputs(server(spec))).find((manifest) => manifest.kind === "PodDisruptionBudget");
  return found?.kind === "PodDisruptionBudget" ? found.spec : undefined;
}

test("one pod at a time can be evicted, and an unready pod at any time", () => {
  const { selector, ...budget } = budgetOf({ replicas: 2 }) ?? {};
  assert.deepEqual(budget, { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" });
  assert.deepEqual(selector, deploymentOf(inputs(server({ replicas: 2 }))).spec.selector);
});

test("there is no budget for a single pod, or if it is disabled", () => {
  for (const spec of [{}, { replicas: 0 }, { replicas: 2, podDisruptionBudget: { enabled: false } }])
    assert.equal(budgetOf(spec), undefined);
});
