import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Pod } from "../../../src/kube/manifests.ts";
import { annotation, label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import type { RecordedEvent } from "../../support/objects.ts";
import { type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

const isMigration = (pod: Pod) => pod.metadata.labels?.[label.component] === "migration";

/** The Events about the server, the oldest first: their names are ordered by time. */
async function eventsOf({ objects }: Fixture): Promise<RecordedEvent[]> {
  const all = await objects.list("Event");
  return all
    .filter(({ regarding }) => regarding.kind === "MlflowServer")
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

describe("the Events of a server", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("are recorded for each step of its lifecycle, and not again by a restarted operator", async (context) => {
    const stage = await fixture(context);
    const expected: string[] = [];
    /** Waits for these further Events, and that there are no others. */
    const records = async (...events: readonly string[]) => {
      expected.push(...events);
      await eventually(async () => {
        const found = (await eventsOf(stage)).map(({ type, reason }) => `${type} ${reason}`);
        assert.deepEqual(found, expected);
      });
    };
    const annotate = (value: string | null) =>
      stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { [annotation.paused]: value } } });
    const nothing: PodOutcome = { does: "nothing" };
    const message = JSON.stringify({ reason: "DatabaseNotFound", message: "The database mlflow does not exist." });

    stage.kubelet.decide(() => nothing);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql));
    await records("Normal MigrationStarted");
    stage.kubelet.decide((pod) => (isMigration(pod) ? { does: "exits", exitCode: 1, message } : nothing));
    await records("Warning MigrationFailed");
    stage.kubelet.decide((pod) => (isMigration(pod) ? healthy(pod) : nothing));
    await records("Normal MigrationCompleted", "Normal RolloutStarted");
    stage.kubelet.decide(healthy);
    await records("Normal RolloutCompleted", "Normal Ready");

    await stage.quiet();
    await stage.stop();
    await stage.start();
    await stage.ready();
    await stage.quiet();
    await records();

    // The pods of the new template wait, so that the start of the rollout is reported.
    const former = new Set((await stage.objects.list("Pod")).map(({ metadata }) => metadata.uid));
    stage.kubelet.decide((pod) => (former.has(pod.metadata.uid) || isMigration(pod) ? healthy(pod) : nothing));
    await stage.apply(server("mlflow", onPostgresql, { "spec.pod": { labels: { team: "a" } } }));
    await records("Normal RolloutStarted");
    stage.kubelet.decide(healthy);
    await records("Normal RolloutCompleted", "Normal Ready");

    await annotate("true");
    await records("Normal Paused");
    await annotate(null);
    await records("Normal Resumed");

    await stage.apply(server("mlflow", onPostgresql, { "spec.hibernate": true }));
    await eventually(async () => assert.equal((await eventsOf(stage)).at(-1)?.reason, "Hibernated"));
    await stage.quiet();
    // The change of the labels above is undone with it, in a separate rollout.
    const reasons = (await eventsOf(stage)).slice(expected.length).map(({ reason }) => reason);
    assert.deepEqual(
      reasons.filter((reason) => !reason.startsWith("Rollout")),
      ["Hibernated"],
    );

    const { metadata } = await stage.objects.the("MlflowServer", "mlflow");
    for (const event of await eventsOf(stage)) {
      assert.equal(event.reportingController, "mlflow-operator");
      assert.deepEqual([event.regarding.name, event.regarding.uid], ["mlflow", metadata.uid]);
      assert.ok(event.action !== "" && event.note !== "", JSON.stringify(event));
    }
    const failure = (await eventsOf(stage)).find(({ reason }) => reason === "MigrationFailed");
    assert.match(failure?.note ?? "", /^DatabaseNotFound: The database mlflow does not exist/);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
