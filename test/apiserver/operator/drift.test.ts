import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { annotation } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { type Count, disturbAll, fieldsOf, target } from "../../support/field-drift.ts";
import { jsonPatch, mergePatch, pathOf } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, exposed, type Modification, onPostgresql, server } from "../../support/servers.ts";

async function running(context: TestContext, ...modifications: Modification[]): Promise<Fixture> {
  const stage = await fixture(context);
  await stage.objects.create("Secret", databaseSecret);
  await stage.apply(server("mlflow", ...modifications));
  await stage.ready("mlflow", 60);
  // A server can be ready before its route exists.
  if (modifications.includes(exposed)) await eventually(() => stage.objects.the("Ingress", "mlflow"));
  return stage;
}

describe("drift", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("every applied field of the Deployment is restored", async (context) => {
    const stage = await running(context, onPostgresql);
    // Fields of another manager, which must stay. Without `paused` each change of the template would start pods.
    const env = [{ name: "FOREIGN", value: "kept" }];
    await stage.objects.patch("Deployment", "mlflow", {
      metadata: { annotations: { "example.com/foreign": "kept" } },
      spec: { paused: true },
    });
    const container = { op: "add", path: "/spec/template/spec/containers/0/env/-", value: env[0] };
    const url = `${pathOf("Deployment", stage.namespace, "mlflow")}?fieldManager=another-client`;
    assert.equal((await stage.objects.attempt("PATCH", url, [container], jsonPatch)).status, 200);
    const deployment = await target(context, stage, "Deployment", "mlflow");
    const leaves = await fieldsOf(deployment);
    const count = await disturbAll(deployment, leaves);
    context.diagnostic(JSON.stringify({ leaves: leaves.length, ...count }));
    assert.ok(leaves.length >= 250, `${leaves.length} fields are the applied ones`);
    assert.ok(count.changed >= 150 && count.removed >= 140, JSON.stringify(count));
    const { metadata, spec } = await stage.objects.the("Deployment", "mlflow");
    assert.equal(metadata.annotations?.["example.com/foreign"], "kept");
    assert.equal(spec.paused, true);
    const kept = spec.template.spec?.containers[0]?.env?.filter(({ name }) => name === "FOREIGN");
    assert.deepEqual(kept, env);
  });

  test("every applied field of the other objects is restored", async (context) => {
    const stage = await running(context, onPostgresql, exposed, {
      "spec.autoscaling": { minReplicas: 2, maxReplicas: 3 },
    });
    const counts: Record<string, Count> = {};
    for (const [kind, name] of [
      ["ServiceAccount", "mlflow"],
      ["NetworkPolicy", "mlflow"],
      ["PodDisruptionBudget", "mlflow"],
      ["HorizontalPodAutoscaler", "mlflow"],
      ["Service", "mlflow"],
      ["Secret", "mlflow-auth-config"],
      ["Secret", "mlflow-store"],
      ["Ingress", "mlflow"],
    ] as const) {
      const each = await target(context, stage, kind, name);
      counts[`${kind}/${name}`] = await disturbAll(each, await fieldsOf(each));
    }
    context.diagnostic(JSON.stringify(counts));
    const sums = Object.values(counts).map(({ changed, removed }) => changed + removed);
    assert.ok(sums.every((sum) => sum >= 12) && sums.reduce((a, b) => a + b) >= 67, JSON.stringify(counts));
  });

  test("labels of stored objects are restored, and their content is used", async (context) => {
    const stage = await running(context);
    for (const [kind, name] of [
      ["Secret", "mlflow-session"],
      ["Secret", "mlflow-admin"],
      ["PersistentVolumeClaim", "mlflow"],
    ] as const) {
      const each = await target(context, stage, kind, name);
      const leaves = (await fieldsOf(each)).filter(({ steps }) => steps[0] === "metadata");
      const count = await disturbAll(each, leaves);
      assert.ok(count.changed >= 5 && count.removed >= 5, `${kind}/${name}: ${JSON.stringify(count)}`);
    }
  });

  test("a volume that a user has enlarged keeps its size", async (context) => {
    const stage = await running(context);
    const since = await stage.quiet();
    const larger = { spec: { resources: { requests: { storage: "20Gi" } } } };
    const answer = await stage.objects.attempt(
      "PATCH",
      pathOf("PersistentVolumeClaim", stage.namespace, "mlflow"),
      larger,
      mergePatch,
    );
    // Without a storage class that allows it the API server rejects the change; then there is no such drift.
    if (answer.status === 200) assert.deepEqual(await stage.writes(since), []);
    else assert.ok([403, 422].includes(answer.status), answer.body);
  });

  test("every deleted object is created again", async (context) => {
    const stage = await running(context, exposed);
    for (const [kind, name] of [
      ["ServiceAccount", "mlflow"],
      ["NetworkPolicy", "mlflow"],
      ["Service", "mlflow"],
      ["Ingress", "mlflow"],
      ["Secret", "mlflow-auth-config"],
      ["Deployment", "mlflow"],
    ] as const) {
      const { uid } = (await stage.objects.the(kind, name)).metadata;
      await stage.objects.remove(kind, name);
      await eventually(async () => {
        const back = await stage.objects.the(kind, name);
        assert.notEqual(back.metadata.uid, uid, `${kind}/${name} is still the previous one`);
      });
    }
    const job = await eventually(async () => {
      const { annotations } = (await stage.objects.the("Deployment", "mlflow")).metadata;
      const [only, ...more] = await stage.objects.list("Job");
      assert.ok(only !== undefined && more.length === 0);
      assert.equal(only.metadata.name, annotations?.[annotation.migration]);
      return only;
    });
    await stage.objects.remove("Job", job.metadata.name, { propagationPolicy: "Background" });
    // The status records the result of the Job: the migration is not run again.
    await stage.ready("mlflow", 60);
    await stage.quiet();
    assert.deepEqual(await stage.objects.list("Job"), []);
  });

  test("nothing is applied once all objects match, also after other clients write their own fields", async (context) => {
    const stage = await running(context);
    const since = await stage.quiet();
    for (const [kind, name] of [
      ["Service", "mlflow"],
      ["Secret", "mlflow-auth-config"],
      ["Deployment", "mlflow"],
      ["ServiceAccount", "mlflow"],
    ] as const) {
      await stage.objects.patch(kind, name, { metadata: { labels: { "example.com/foreign": "kept" } } });
    }
    await sleep(10_000);
    assert.deepEqual(await stage.calls(since), []);
  });

  test("an object without its owner reference is no longer treated as owned", async (context) => {
    const stage = await running(context);
    await stage.objects.patch("Service", "mlflow", { metadata: { ownerReferences: null } });
    const stalled = await stage.stalled("NameConflict");
    assert.match(
      condition(stalled, "Stalled").message,
      /^Service\/mlflow in namespace \S+ exists and does not belong to this server/,
    );
    await stage.objects.remove("Service", "mlflow");
    await stage.ready("mlflow", 60);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
