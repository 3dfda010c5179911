import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import type { Deployment, Pod } from "../../../src/kube/manifests.ts";
import { label } from "../../../src/kube/names.ts";
import { isRolledOut } from "../../../src/reconcile/rollout.ts";
import { markerIn } from "../../../src/reconcile/upgrade-marker.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { administratorAgent, eventStream } from "../../support/event-stream.ts";
import { eventually } from "../../support/eventually.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { mergePatch, pathOf } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server, withoutAuthentication } from "../../support/servers.ts";

const former = "registry.example.com/former";
const newer = "registry.example.com/newer";
const upgradeConcurrency = 3;
const seconds = 240;

const imageOf = ({ spec }: Deployment) => spec.template.spec?.containers[0]?.image ?? "";
const isOfServer = ({ metadata }: Pod, name: string) => metadata.labels?.[label.server] === name;
const isNewPod = ({ spec }: Pod) => spec?.containers.some(({ image = "" }) => image.startsWith(newer)) === true;
const isServerPod = ({ metadata }: Pod) => metadata.labels?.[label.component] === "server";

/** How many Deployments an upgrade was changing at each moment, as the API server reports. */
async function observed(context: TestContext, { cluster, namespace }: Fixture) {
  const agent = await administratorAgent(cluster);
  const stopping = new AbortController();
  const changing = new Map<string, boolean>();
  let most = 0;
  const path = pathOf("Deployment", namespace);
  const { metadata } = JSON.parse((await cluster.request("GET", path)).body);
  const ended = eventStream<Deployment>(
    cluster,
    agent,
    path,
    metadata.resourceVersion,
    stopping.signal,
    ({ type, object }) => {
      if (type === "BOOKMARK" || type === "ERROR") return;
      const marker = markerIn(object);
      const isChanging = marker !== undefined && (marker.phase === "Started" || !isRolledOut(object));
      changing.set(object.metadata.name, type !== "DELETED" && isChanging);
      most = Math.max(most, [...changing.values()].filter(Boolean).length);
    },
  );
  context.after(async () => {
    stopping.abort();
    await ended;
    agent.destroy();
  });
  return {
    most: () => most,
    /** Resets the history, not the current state. */
    reset: () => {
      most = 0;
    },
  };
}

/** Servers whose Deployment has the image of the newer operator. */
async function changed({ objects }: Fixture): Promise<string[]> {
  const all = await objects.list("Deployment");
  return all.filter((each) => imageOf(each).startsWith(newer)).map(({ metadata }) => metadata.name);
}

async function pending({ objects }: Fixture): Promise<Map<string, string>> {
  const all = await objects.list("MlflowServer");
  return new Map(
    all.flatMap(({ metadata, status }) => {
      const found = status?.conditions?.find(({ type }) => type === "UpgradePending");
      return found === undefined ? [] : [[metadata.name, found.reason] as const];
    }),
  );
}

async function running(stage: Fixture, names: readonly string[]): Promise<void> {
  await stage.objects.create("Secret", databaseSecret);
  for (const name of names) await stage.apply(server(name, onPostgresql, withoutAuthentication));
  for (const name of names) await stage.ready(name, seconds);
}

describe("an upgrade of the operator", { skip: onK3s(), concurrency: 1 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("changes one server first, then a few at a time, stops at a failure, and goes on after the repair", async (context) => {
    const stage = await fixture(context, { operator: { imageRepository: former, upgradeConcurrency } });
    const names = Array.from({ length: 12 }, (_, index) => `server-${String(index).padStart(2, "0")}`);
    await running(stage, names);
    const upgrade = await observed(context, stage);
    const isHeld = (pod: Pod) => isServerPod(pod) && isNewPod(pod);
    stage.kubelet.decide((pod): PodOutcome => (isHeld(pod) ? { does: "nothing" } : healthy(pod)));

    await stage.stop();
    await stage.start({ imageRepository: newer });
    const first = await eventually(async () => {
      const those = await changed(stage);
      assert.equal(those.length, 1);
      assert.equal((await pending(stage)).size, 11);
      return those[0] ?? "";
    }, seconds);
    await stage.quiet();
    assert.deepEqual(await changed(stage), [first], "the first is alone");
    const migrations = (await stage.objects.list("Job")).filter(
      ({ metadata, spec }) =>
        metadata.labels?.[label.component] === "migration" &&
        spec.template.spec?.containers.some(({ image = "" }) => image.startsWith(newer)),
    );
    assert.deepEqual(
      migrations.map(({ metadata }) => metadata.labels?.[label.server]),
      [first],
    );
    const others = names.filter((name) => name !== first);
    for (const name of others)
      assert.equal(condition(await stage.ready(name), "UpgradePending").reason, "UpgradeWaiting");

    // Another process has only the state in the cluster.
    await stage.stop();
    await stage.start({ imageRepository: newer });
    await stage.quiet();
    assert.deepEqual(await changed(stage), [first], "a new leader goes on where the previous was");

    // What users change is not held back, and scaling does not change the pod template.
    const [scaled = "", edited = "", deleted = "", ...rest] = others;
    const scale = `${pathOf("MlflowServer", stage.namespace, scaled)}/scale`;
    await stage.objects.attempt("PATCH", scale, { spec: { replicas: 2 } }, mergePatch);
    await stage.apply(server(edited, onPostgresql, withoutAuthentication, { "spec.server": { logLevel: "DEBUG" } }));
    await stage.objects.remove("Deployment", deleted);
    await eventually(async () => {
      assert.deepEqual((await changed(stage)).sort(), [first, edited, deleted].sort());
      const { spec, status } = await stage.objects.the("Deployment", scaled);
      assert.deepEqual([spec.replicas, status?.availableReplicas], [2, 2]);
    }, seconds);
    assert.ok(imageOf(await stage.objects.the("Deployment", scaled)).startsWith(former));

    stage.kubelet.decide((pod): PodOutcome => {
      if (isHeld(pod) && isOfServer(pod, first)) return { does: "exits", exitCode: 1, message: "no such option" };
      return healthy(pod);
    });
    await stage.stalled("CrashLooping", first, seconds);
    await eventually(async () => {
      const those = await pending(stage);
      assert.deepEqual(
        [...those],
        [scaled, ...rest].sort().map((name) => [name, "UpgradeStopped"]),
      );
    }, seconds);
    const { message } = condition(await stage.ready(scaled), "UpgradePending");
    assert.match(message, new RegExp(`MlflowServer ${first} in namespace ${stage.namespace}`));
    await eventually(async () => {
      const events = await stage.objects.list("Event");
      assert.ok(events.some(({ reason }) => reason === "UpgradeStopped"));
    });
    await eventually(async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${stage.operator().healthPort}/metrics`)).text();
      assert.match(metrics, /mlflow_operator_upgrade_servers\{state="failed"\} 1/);
      assert.match(metrics, /mlflow_operator_upgrade_servers\{state="waiting"\} 9/);
    });
    await stage.quiet();
    assert.deepEqual((await changed(stage)).sort(), [first, edited, deleted].sort(), "nothing goes on after a failure");
    assert.equal(upgrade.most(), 1);

    stage.kubelet.decide(healthy);
    await eventually(async () => assert.deepEqual((await changed(stage)).sort(), names), seconds);
    for (const name of names) await stage.ready(name, seconds);
    await eventually(async () => assert.deepEqual([...(await pending(stage))], []), seconds);
    assert.ok(upgrade.most() <= upgradeConcurrency, `${upgrade.most()} at the same time`);
    await eventually(() => assert.ok(upgrade.most() > 1, "not only one at a time"));
    await stage.quiet();
  });

  test("is not stopped by servers that were not ready before or that an administrator pauses, and changes them as well", async (context) => {
    const stage = await fixture(context, { operator: { imageRepository: former, upgradeConcurrency: 1 } });
    const names = ["broken", "hibernated", "sound-a", "sound-b"];
    await running(stage, names);
    await stage.apply(server("hibernated", onPostgresql, withoutAuthentication, { "spec.hibernate": true }));
    const isBroken = (pod: Pod) => isServerPod(pod) && isOfServer(pod, "broken");
    const crash: PodOutcome = { does: "exits", exitCode: 1, message: "own reasons" };
    stage.kubelet.decide((pod) => (isBroken(pod) ? crash : healthy(pod)));
    await stage.stalled("CrashLooping", "broken", seconds);
    await stage.ready("hibernated", seconds);

    await stage.stop();
    await stage.start({ imageRepository: newer });
    await eventually(async () => assert.deepEqual((await changed(stage)).sort(), names), seconds);
    await eventually(async () => assert.deepEqual([...(await pending(stage))], []), seconds);
    for (const name of names.slice(1)) await stage.ready(name, seconds);
    await stage.stalled("CrashLooping", "broken", seconds);

    // After some servers: the first fails, and the previous operator comes back.
    const isOfThird = (pod: Pod) => isServerPod(pod) && pod.spec?.containers[0]?.image?.includes("third") === true;
    stage.kubelet.decide((pod) => (isBroken(pod) || isOfThird(pod) ? crash : healthy(pod)));
    await stage.stop();
    await stage.start({ imageRepository: "registry.example.com/third" });
    await eventually(async () => assert.ok([...(await pending(stage)).values()].includes("UpgradeStopped")), seconds);
    await stage.stop();
    await stage.start({ imageRepository: newer });
    await eventually(async () => assert.deepEqual((await changed(stage)).sort(), names), seconds);
    await eventually(async () => assert.deepEqual([...(await pending(stage))], []), seconds);
    for (const name of names.slice(1)) await stage.ready(name, seconds);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
