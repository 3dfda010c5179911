import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { label } from "../../../src/kube/names.ts";
import { dataKeys } from "../../../src/model/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { dump } from "../../support/dump.ts";
import { eventually } from "../../support/eventually.ts";
import { mergePatch, pathOf } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

async function serverPods({ objects }: Fixture, name = "mlflow") {
  return (await objects.list("Pod")).filter(
    ({ metadata }) => metadata.labels?.[label.component] === "server" && metadata.labels[label.server] === name,
  );
}

describe("scale", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("by the scale subresource, as kubectl scale and autoscalers do", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    const path = `${pathOf("MlflowServer", stage.namespace, "mlflow")}/scale`;
    for (const replicas of [3, 1]) {
      const answer = await stage.objects.attempt("PATCH", path, { spec: { replicas } }, mergePatch);
      assert.equal(answer.status, 200, answer.body);
      const ready = await stage.ready("mlflow", 60);
      await eventually(async () => assert.equal((await serverPods(stage)).length, replicas));
      assert.deepEqual([ready.status?.replicas, ready.status?.readyReplicas], [replicas, replicas]);
      const { status } = JSON.parse((await stage.objects.attempt("GET", path)).body);
      assert.equal(status.replicas, replicas);
      const selected = await stage.objects.attempt(
        "GET",
        `${pathOf("Pod", stage.namespace)}?labelSelector=${encodeURIComponent(status.selector)}`,
      );
      const { items }: { items: unknown[] } = JSON.parse(selected.body);
      assert.equal(items.length, replicas, "the selector finds the pods that serve, and only these");
    }
  });

  test("by autoscaling: the HorizontalPodAutoscaler scales the server, and its number outlives an apply and the field", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    const scaled = server("mlflow", onPostgresql, { "spec.autoscaling": { minReplicas: 2, maxReplicas: 4 } });
    await stage.apply(scaled);
    const replicas = async () => {
      const { spec, status } = await stage.objects.the("MlflowServer", "mlflow");
      return [spec.replicas, status?.readyReplicas];
    };
    // The controller corrects the default of 1 without a metric. It discovers new kinds every 30 s.
    await eventually(async () => assert.deepEqual(await replicas(), [2, 2]), 90);
    const { metadata, spec } = await stage.objects.the("HorizontalPodAutoscaler", "mlflow");
    assert.equal(metadata.ownerReferences?.[0]?.kind, "MlflowServer");
    assert.deepEqual(spec.scaleTargetRef, { apiVersion: scaled["apiVersion"], kind: "MlflowServer", name: "mlflow" });

    const scale = `${pathOf("MlflowServer", stage.namespace, "mlflow")}/scale`;
    const set = async (number: number) => {
      const answer = await stage.objects.attempt("PATCH", scale, { spec: { replicas: number } }, mergePatch);
      assert.equal(answer.status, 200, answer.body);
    };
    await set(3);
    await eventually(async () => assert.deepEqual(await replicas(), [3, 3]), 60);
    assert.equal((await stage.apply(scaled)).spec.replicas, 3, "an apply without replicas keeps the number");
    // Pods immediately, and later the spec, stay within the limits.
    await set(9);
    await eventually(async () => assert.deepEqual(await replicas(), [4, 4]), 60);

    await stage.apply({ ...server("mlflow", onPostgresql), metadata: { name: "mlflow" } });
    await stage.ready("mlflow", 60);
    await eventually(async () => assert.deepEqual(await stage.objects.list("HorizontalPodAutoscaler"), []));
    assert.deepEqual(await replicas(), [4, 4]);
  });

  test("to zero deletes the HorizontalPodAutoscaler until pods run again", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    const scaled = server("mlflow", onPostgresql, { "spec.autoscaling": { maxReplicas: 2 } });
    const names = async () =>
      (await stage.objects.list("HorizontalPodAutoscaler")).map(({ metadata }) => metadata.name);
    for (const hibernate of [true, false]) {
      await stage.apply({ ...scaled, spec: { ...Object(scaled["spec"]), hibernate } });
      await stage.ready("mlflow", 60);
      await eventually(async () => assert.deepEqual(await names(), hibernate ? [] : ["mlflow"]));
    }
  });

  test("to zero by hibernate keeps all other objects, is Ready, and is reversible", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    const others = async () => ({ ...(await dump(stage.objects)), "Deployment/mlflow": undefined });
    const before = await others();
    for (const sleeping of [{ "spec.hibernate": true }, { "spec.replicas": 0 }]) {
      await stage.apply(server("mlflow", sleeping));
      const hibernated = await stage.ready("mlflow", 60);
      assert.equal(condition(hibernated, "Ready").reason, "Hibernated");
      assert.equal(condition(hibernated, "Available").status, "False");
      assert.equal(hibernated.status?.replicas, 0);
      await eventually(async () => assert.deepEqual(await serverPods(stage), []));
      assert.deepEqual(await others(), before);
      await stage.apply(server());
      const back = await stage.ready("mlflow", 60);
      assert.equal(condition(back, "Ready").reason, "Ready");
      await eventually(async () => assert.equal((await serverPods(stage)).length, 1));
    }
    assert.deepEqual(await others(), before);
  });

  test("of a hibernated server that is upgraded: the database is migrated, no pod starts", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server("mlflow", { "spec.version": "3.16.1", "spec.hibernate": true }));
    await stage.ready("mlflow", 60);
    await stage.apply(server("mlflow", { "spec.hibernate": true }));
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.2");
    assert.deepEqual(await serverPods(stage), []);
  });

  test("of servers in one namespace: names that are another's name with a suffix do not conflict", async (context) => {
    const stage = await fixture(context);
    const names = ["mlflow", "mlflow-admin", "mlflow-auth", "mlflow-migrate", "mlflow-session"];
    for (const name of names) await stage.apply(server(name));
    for (const name of names) await stage.ready(name, 60);
    const owners = new Map<string, string[]>();
    for (const [text, object] of Object.entries(await dump(stage.objects))) {
      const labels: Record<string, string> = JSON.parse(JSON.stringify(object)).metadata.labels ?? {};
      const owner = labels[label.server];
      if (owner !== undefined) owners.set(owner, [...(owners.get(owner) ?? []), text]);
    }
    assert.deepEqual([...owners.keys()].sort(), names);
    for (const [name, objects] of owners) assert.equal(objects.length, 9, `${name}: ${objects.join(", ")}`);
    const keys = new Set<string>();
    const isShared: ReadonlySet<string> = new Set([dataKeys.username, dataKeys.kekVersion]);
    for (const name of names) {
      const [session, admin] = [
        await stage.objects.the("Secret", `${name}-session`),
        await stage.objects.the("Secret", `${name}-admin`),
      ];
      for (const data of [session.data, admin.data]) {
        for (const [key, value] of Object.entries(data ?? {})) if (!isShared.has(key)) keys.add(value);
      }
      const { spec } = await stage.objects.the("Service", name);
      const selector = Object.entries(spec.selector ?? {}).map(([key, value]) => `${key}=${value}`);
      const found = await stage.objects.attempt(
        "GET",
        `${pathOf("Pod", stage.namespace)}?labelSelector=${encodeURIComponent(selector.join())}`,
      );
      const { items }: { items: { metadata: { labels: Record<string, string> } }[] } = JSON.parse(found.body);
      assert.deepEqual(
        items.map(({ metadata }) => metadata.labels[label.server]),
        [name],
      );
    }
    assert.equal(keys.size, names.length * 5, "every generated value is another");
    await stage.objects.remove("MlflowServer", "mlflow");
    await eventually(async () => assert.equal(await stage.objects.get("Deployment", "mlflow"), undefined));
    for (const name of names.slice(1)) await stage.ready(name);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
