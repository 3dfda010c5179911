import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { annotation, label, manager } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { type History, history } from "../../support/history.ts";
import { type Leaf, leavesOf, otherValues, pointerTo, valueIn } from "../../support/leaves.ts";
import { jsonPatch, mergePatch, type ObjectKind, type ObjectOf, pathOf } from "../../support/objects.ts";
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

/** An object whose fields are changed. */
interface Target<K extends ObjectKind> {
  readonly fixture: Fixture;
  readonly kind: K;
  readonly name: string;
  readonly seen: History<ObjectOf[K]>;
}

async function target<K extends ObjectKind>(context: TestContext, fixture: Fixture, kind: K, name: string) {
  const seen = await history(fixture.cluster, fixture.namespace, kind);
  context.after(() => seen.stop());
  return { fixture, kind, name, seen };
}

/**
 * The fields of the object that the operator's builders set. After its POST the operator also owns the defaults of the API
 * server: the first repair is an apply of only these fields. Owner references have a separate test.
 */
async function fieldsOf<K extends ObjectKind>({ fixture, kind, name, seen }: Target<K>): Promise<Leaf[]> {
  const changed = await fixture.objects.patch(kind, name, { metadata: { labels: { [label.application]: "changed" } } });
  const { object } = await seen.first(({ object, at }) => {
    const { labels, name: found } = object.metadata;
    return found === name && at > Number(changed.metadata.resourceVersion) && labels?.[label.application] === "mlflow";
  });
  const operations = object.metadata.managedFields?.filter((entry) => entry.manager === manager && !entry.subresource);
  assert.deepEqual(
    operations?.map(({ operation }) => operation),
    ["Apply"],
    "after an apply no managed fields of the POST are left",
  );
  return leavesOf(object, manager).filter(({ steps }) => steps[1] !== "ownerReferences");
}

/** The result of an attempt to change a field. */
type Result = "repaired" | "refused" | "no change";

/** Changes a field as another field manager, and waits until it is restored. Throws if it stays changed. */
async function disturbed<K extends ObjectKind>(
  { fixture, kind, name, seen }: Target<K>,
  leaf: Leaf,
  change: { op: "add"; value: unknown } | { op: "remove" },
): Promise<Result> {
  const path = pointerTo(await fixture.objects.the(kind, name), leaf);
  const url = `${pathOf(kind, fixture.namespace, name)}?fieldManager=another-client`;
  const answer = await fixture.objects.attempt("PATCH", url, [{ ...change, path }], jsonPatch);
  if (answer.status >= 300) return "refused";
  const changed: ObjectOf[K] = JSON.parse(answer.body);
  if (isDeepStrictEqual(valueIn(changed, leaf), leaf.value)) return "no change";
  const after = Number(changed.metadata.resourceVersion);
  const isRestored = (object: ObjectOf[K]) =>
    object.metadata.name === name && isDeepStrictEqual(valueIn(object, leaf), leaf.value);
  await seen
    .first(({ object, at }) => at > after && isRestored(object))
    .catch(async () => {
      const value = valueIn(await fixture.objects.the(kind, name), leaf);
      assert.fail(
        `${kind}/${name}${leaf.text} stays as it is after ${JSON.stringify(change)}: ${JSON.stringify(value)}`,
      );
    });
  return "repaired";
}

interface Count {
  changed: number;
  removed: number;
  /** Fields that the API server does not allow to be changed or removed. */
  readonly fixed: string[];
}

/** Changes, then removes each field of an object that the operator owns. Returns how many changes were possible. */
async function disturbAll<K extends ObjectKind>(target: Target<K>, leaves: readonly Leaf[]): Promise<Count> {
  const count: Count = { changed: 0, removed: 0, fixed: [] };
  for (const leaf of leaves) {
    let result: Result = "refused";
    for (const value of otherValues(leaf)) {
      result = await disturbed(target, leaf, { op: "add", value });
      if (result === "repaired") break;
    }
    // A variable without a value shows nothing that its change and its removal do not show.
    const isValue = leaf.text.includes("/env/") && leaf.steps.at(-1) === "value";
    const removal = isValue ? "no change" : await disturbed(target, leaf, { op: "remove" });
    if (result === "repaired") count.changed += 1;
    if (removal === "repaired") count.removed += 1;
    if (result !== "repaired" && removal !== "repaired") count.fixed.push(leaf.text);
  }
  return count;
}

describe("drift", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  for (const part of [0, 1, 2]) {
    test(`every applied field of the Deployment is restored (part ${part + 1} of 3)`, async (context) => {
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
      const leaves = (await fieldsOf(deployment)).filter((_leaf, index) => index % 3 === part);
      const count = await disturbAll(deployment, leaves);
      context.diagnostic(JSON.stringify(count));
      assert.ok(leaves.length >= 40, `${leaves.length} fields are a third of the applied ones`);
      assert.ok(count.changed >= 28 && count.removed >= 18, JSON.stringify(count));
      const { metadata, spec } = await stage.objects.the("Deployment", "mlflow");
      assert.equal(metadata.annotations?.["example.com/foreign"], "kept");
      assert.equal(spec.paused, true);
      const kept = spec.template.spec?.containers[0]?.env?.filter(({ name }) => name === "FOREIGN");
      assert.deepEqual(kept, env);
    });
  }

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
