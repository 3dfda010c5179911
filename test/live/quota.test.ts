import assert from "node:assert/strict";
import { test } from "node:test";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";

const name = "limited";

test("the status reports a ResourceQuota on limits, and limits of MLflow's container are sufficient for all pods", {
  timeout: 1_200_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const hard = { "limits.cpu": "4", "limits.memory": "8Gi" };
  await fixture.objects.create("ResourceQuota", { metadata: { name: "team" }, spec: { hard } });
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: {} },
  };
  await fixture.apply({ metadata: { name }, spec });
  const stalled = await fixture.reason(name, "Stalled", "PodsRejected");
  const { message = "" } = stalled.status?.conditions?.find(({ type }) => type === "Stalled") ?? {};
  assert.match(message, /failed quota: team: must specify limits\.cpu/);
  await fixture.apply({
    metadata: { name },
    spec: { ...spec, pod: { resources: { limits: { cpu: "2", memory: "2Gi" } } } },
  });
  await fixture.ready(name);
  const mlflow = await fixture.asAdmin(name);
  assert.ok(mlflow !== undefined);
});
