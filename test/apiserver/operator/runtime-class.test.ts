import assert from "node:assert/strict";
import { test } from "node:test";
import { steadily } from "../../support/eventually.ts";
import { condition, fixture } from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";

const byRuntime = (name: string) => server("mlflow", { "spec.pod": { runtimeClassName: name } });

test("a RuntimeClass with overhead and a node selector changes the pods, and the operator writes nothing because of it", async (context) => {
  const stage = await fixture(context);
  const name = `sandbox-${stage.namespace}`;
  const runtimeClass = {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name },
    handler: "sandbox",
    overhead: { podFixed: { memory: "64Mi", cpu: "50m" } },
    scheduling: { nodeSelector: { sandbox: "true" }, tolerations: [{ key: "sandbox", operator: "Exists" }] },
  };
  const created = await stage.objects.attempt("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtimeClass);
  assert.equal(created.status, 201, created.body);
  context.after(() => stage.objects.attempt("DELETE", `/apis/node.k8s.io/v1/runtimeclasses/${name}`));
  await stage.apply(byRuntime(name));
  await stage.ready("mlflow", 60);
  const pods = await stage.objects.list("Pod");
  assert.ok(pods.length > 1, "those of the migration and of the server");
  for (const { spec } of pods) {
    assert.equal(spec?.overhead?.["memory"], "64Mi");
    assert.equal(spec?.nodeSelector?.["sandbox"], "true");
  }
  const quiet = await stage.quiet();
  await steadily(() => {}, 1);
  assert.deepEqual(await stage.calls(quiet), []);
});

test("a RuntimeClass that does not exist is reported with its name", async (context) => {
  const stage = await fixture(context);
  await stage.apply(byRuntime("missing-sandbox"));
  await stage.stalled("PodsRejected", "mlflow", 60);
  const { message } = condition(await stage.objects.the("MlflowServer", "mlflow"), "Ready");
  assert.match(message, /RuntimeClass "missing-sandbox" not found/);
});
