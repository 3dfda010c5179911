import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import type { RotationRecord } from "../../../src/api/status.ts";
import type { Pod, Secret } from "../../../src/kube/manifests.ts";
import { annotation, label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { history } from "../../support/history.ts";
import { killedAfterWrites } from "../../support/killed-after-writes.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

/** Seconds for the three rollouts of a rotation on a busy machine. */
const patience = 300;

/** Several pods can run at the same time. */
const replicated = server("mlflow", onPostgresql, { "spec.replicas": 2 });

async function running(context: TestContext, document = replicated): Promise<Fixture> {
  const stage = await fixture(context);
  await stage.objects.create("Secret", databaseSecret);
  await stage.apply(document);
  await stage.ready("mlflow", patience);
  return stage;
}

async function request({ objects }: Fixture, rotate: string): Promise<void> {
  await objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { [annotation.rotate]: rotate } } });
}

async function recordOf({ objects }: Fixture, name: RotationRecord["name"]): Promise<RotationRecord | undefined> {
  const { status } = await objects.the("MlflowServer", "mlflow");
  return status?.rotations?.find((each) => each.name === name);
}

async function completed(stage: Fixture, name: RotationRecord["name"], token?: string): Promise<RotationRecord> {
  return eventually(async () => {
    const record = await recordOf(stage, name);
    assert.deepEqual([record?.phase, record?.request], ["Completed", token]);
    assert.ok(record?.completedAt !== undefined);
    return record;
  }, patience);
}

const textIn = ({ data = {} }: Secret, key: string) => Buffer.from(data[key] ?? "", "base64").toString();

const isOfRotation = ({ metadata }: Pod) => metadata.labels?.[label.component] === "rotation";

/** Pods of rotations have this outcome, and all others are healthy. */
const rotationsDo = (outcome: PodOutcome) => (pod: Pod) => (isOfRotation(pod) ? outcome : healthy(pod));

describe("a rotation", { skip: onK3s(), concurrency: 2 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("makes no request after it is complete, and leaves no Job", async (context) => {
    const stage = await running(context);
    await request(stage, "webhook-key:1,admin-password:1");
    await completed(stage, "webhook-key", "1");
    await completed(stage, "admin-password", "1");
    await stage.ready("mlflow", patience);
    const since = await stage.quiet();
    await stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { touched: "yes" } } });
    await stage.quiet();
    assert.deepEqual(await stage.writes(since), []);
    const jobs = await stage.objects.list("Job");
    assert.deepEqual(
      jobs.filter(({ metadata }) => metadata.labels?.[label.component] === "rotation"),
      [],
    );
  });

  test("is reported while its Job fails, keeps the previous key, and continues", async (context) => {
    const stage = await running(context);
    const message = JSON.stringify({ reason: "DatabaseUnreachable", message: "The database did not answer." });
    stage.kubelet.decide(rotationsDo({ does: "exits", exitCode: 1, message }));
    const old = textIn(await stage.objects.the("Secret", "mlflow-session"), "kek-passphrase");
    await request(stage, "encryption-key:1");
    const failing = await eventually(async () => {
      const found = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(condition(found, "RotationPending").reason, "DatabaseUnreachable");
      assert.equal(condition(found, "Ready").status, "True");
      return found;
    }, patience);
    assert.match(condition(failing, "RotationPending").message, /The previous key or password stays valid/);
    const secret = await stage.objects.the("Secret", "mlflow-session");
    assert.equal(textIn(secret, "accepted-kek-passphrase"), old);
    stage.kubelet.decide(healthy);
    await completed(stage, "encryption-key", "1");
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(
        status?.conditions?.some(({ type }) => type === "RotationPending"),
        false,
      );
    });
  });

  test("stops if its Secret is removed, and continues with the restored one", async (context) => {
    const stage = await running(context);
    stage.kubelet.decide(rotationsDo({ does: "nothing" }));
    await request(stage, "encryption-key:1");
    await eventually(async () => assert.equal((await recordOf(stage, "encryption-key"))?.phase, "Renewing"), patience);
    const { metadata, data, type } = await stage.objects.the("Secret", "mlflow-session");
    await stage.objects.patch("Secret", "mlflow-session", { data: { "accepted-kek-passphrase": null } });
    const stalled = await stage.stalled("GeneratedSecretLost", "mlflow", patience);
    assert.match(condition(stalled, "Stalled").message, /has lost accepted-kek-passphrase/);
    await stage.objects.remove("Secret", "mlflow-session");
    await stage.stalled("GeneratedSecretLost", "mlflow", patience);
    const { name, labels, annotations } = metadata;
    await stage.objects.create("Secret", { metadata: { name, labels, annotations }, data, type });
    stage.kubelet.decide(healthy);
    await completed(stage, "encryption-key", "1");
    const last = await stage.objects.the("Secret", "mlflow-session");
    assert.equal(last.data?.["kek-passphrase"], data?.["kek-passphrase"]);
  });

  test("is not begun by an invalid annotation, which is reported with the possible values", async (context) => {
    const stage = await running(context);
    const secret = await stage.objects.the("Secret", "mlflow-session");
    await request(stage, "sessions:1");
    await eventually(async () => {
      const found = condition(await stage.objects.the("MlflowServer", "mlflow"), "RotationPending");
      assert.equal(found.reason, "InvalidAnnotation");
      assert.match(found.message, /NAME is one of session, cookie, encryption-key, webhook-key, admin-password/);
      const events = await stage.objects.list("Event");
      assert.ok(events.some(({ reason }) => reason === "RotationHeld"));
    }, patience);
    await stage.ready("mlflow", patience);
    const { resourceVersion } = (await stage.objects.the("Secret", "mlflow-session")).metadata;
    assert.equal(resourceVersion, secret.metadata.resourceVersion);
  });

  test("sets a password in MLflow that was changed in the Secret", async (context) => {
    const stage = await running(context);
    await eventually(async () => assert.ok((await recordOf(stage, "admin-password"))?.content), patience);
    stage.kubelet.decide(rotationsDo({ does: "nothing" }));
    await stage.objects.patch("Secret", "mlflow-admin", { stringData: { password: "chosen-by-an-administrator" } });
    await eventually(async () => {
      const [job] = (await stage.objects.list("Job")).filter(
        ({ metadata }) => metadata.labels?.[label.component] === "rotation",
      );
      const env = job?.spec.template.spec?.containers[0]?.env ?? [];
      const password = env.find(({ name }) => name === "MLFLOW_AUTH_ADMIN_PASSWORD");
      assert.deepEqual(password?.valueFrom?.secretKeyRef, { name: "mlflow-admin", key: "password" });
      assert.equal((await recordOf(stage, "admin-password"))?.phase, "Renewing");
    }, patience);
    stage.kubelet.decide(healthy);
    await completed(stage, "admin-password");
    const { data } = await stage.objects.the("Secret", "mlflow-admin");
    assert.equal(Buffer.from(data?.["password"] ?? "", "base64").toString(), "chosen-by-an-administrator");
  });

  test("records when all pods had a changed Secret of the spec", async (context) => {
    const stage = await running(context);
    const before = await recordOf(stage, "references");
    await stage.objects.patch("Secret", "database", { stringData: { password: "another-password" } });
    await eventually(async () => {
      const record = await recordOf(stage, "references");
      assert.notEqual(record?.content, before?.content);
      assert.equal(record?.phase, "Completed");
      assert.ok(record.startedAt !== undefined && record.completedAt !== undefined);
    }, patience);
  });
});

describe("the rotations of operators that are killed immediately after a write", { skip: onK3s() }, () => {
  test("are made once for each request", async (context) => {
    const cluster = await sharedControlPlane();
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await running(context);
    await stage.stop();
    const secrets = await history(cluster, stage.namespace, "Secret");
    context.after(() => secrets.stop());
    const first = await stage.objects.the("Secret", "mlflow-session");
    await request(stage, "encryption-key:1, webhook-key:1, admin-password:1");
    const isDone = async () => {
      const { status } = await stage.ready("mlflow", 0);
      const open = status?.rotations?.filter(({ phase }) => phase !== "Completed");
      assert.deepEqual(open, []);
      for (const name of ["encryption-key", "webhook-key", "admin-password"])
        assert.equal(status?.rotations?.find((each) => each.name === name)?.request, "1", name);
    };
    const narrow = [`--watch-namespaces=${stage.namespace}`];
    const writes = await killedAfterWrites(context, proxy, stage.identity, narrow, isDone);
    context.diagnostic(`${writes.length} writes: ${writes.map(({ method, path }) => `${method} ${path}`).join(", ")}`);
    const versions = (await secrets.versions("mlflow-session")).map(({ object }) => object);
    for (const key of ["kek-passphrase", "webhook-key"]) {
      // The key that pods use, and the other one that they accept.
      const pairs = versions.map((each) => JSON.stringify([textIn(each, key), textIn(each, `accepted-${key}`)]));
      const steps = pairs.filter((pair, index) => pair !== pairs[index - 1]);
      const [old, next] = [textIn(first, key), textIn(await stage.objects.the("Secret", "mlflow-session"), key)];
      assert.notEqual(old, next);
      const expected = [
        [old, ""],
        [old, next],
        [next, old],
        [next, ""],
      ];
      assert.deepEqual(
        steps,
        expected.map((pair) => JSON.stringify(pair)),
        `${key} was not rotated once`,
      );
    }
    const last = await stage.objects.the("Secret", "mlflow-session");
    assert.equal(textIn(last, "kek-version"), "2");
    assert.deepEqual(Object.keys(last.data ?? {}).sort(), Object.keys(first.data ?? {}).sort());
    assert.equal(textIn(last, "hash-key"), textIn(first, "hash-key"));
    const admins = (await secrets.versions("mlflow-admin")).map(({ object }) => object);
    assert.equal(new Set(admins.map((each) => textIn(each, "password"))).size, 2);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
