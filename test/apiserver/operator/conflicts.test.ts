import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { annotation } from "../../../src/kube/names.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { dump } from "../../support/dump.ts";
import { eventually } from "../../support/eventually.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { operatorInProcess } from "../../support/operator-in-process.ts";
import { server } from "../../support/servers.ts";

/** Reverts an object after each write of the operator, until it is stopped. */
function flipper({ objects }: Fixture): { stop: () => Promise<number> } {
  let isStopped = false;
  let flips = 0;
  const image = "registry.example.com/other:1";
  const run = (async () => {
    while (!isStopped) {
      const { spec } = await objects.the("Deployment", "mlflow");
      const [container] = spec.template.spec?.containers ?? [];
      if (container !== undefined && container.image !== image) {
        flips += 1;
        await objects.patch("Deployment", "mlflow", {
          spec: { template: { spec: { containers: [{ ...container, image }] } } },
        });
      }
      await sleep(20);
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await run;
      return flips;
    },
  };
}

describe("other clients that change the operator's objects", { skip: onK3s() }, () => {
  test("a field that another client repeatedly changes is repaired less often, and reported with its manager", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready();
    const since = await stage.quiet();
    const other = flipper(stage);
    const { message } = condition(await stage.stalled("WriteConflict"), "Stalled");
    assert.match(
      message,
      /^Field manager another-client repeatedly changes spec\.template\.spec\.containers\[0\]\.image of Deployment\/mlflow, /,
    );
    await sleep(10_000);
    const writes = (await stage.writes(since)).filter(({ resource }) => resource === "deployments");
    assert.ok(writes.length <= 10, `${writes.length} writes: ${JSON.stringify(writes)}`);
    const flips = await other.stop();
    assert.ok(flips >= 5 && flips <= 10, `${flips} changes`);
    await stage.ready("mlflow", 90);
  });

  test("a second operator reports which operator manages a server, and writes nothing", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    const { status } = await stage.ready();
    assert.equal(status?.operator, `${stage.namespace}/mlflow-operator`);
    await stage.quiet();
    const before = await dump(stage.objects);
    const second = await operatorInProcess(
      { namespace: stage.namespace, credentials: stage.identity.credentials() },
      { leaseName: "second", proxyImage: "registry.example.com/other-proxy:v7.15.6" },
    );
    context.after(() => second.stop());
    const event = await eventually(async () => {
      const found = (await stage.objects.list("Event")).find(({ reason }) => reason === "OtherOperator");
      assert.ok(found !== undefined, "no event names the other operator");
      return found;
    });
    assert.match(
      event.note,
      /Operator \S+\/mlflow-operator manages MlflowServer mlflow, so operator \S+\/second changes nothing/,
    );
    await eventually(() => assert.ok(second.log.some(({ reason }) => reason === "OtherOperator")));
    assert.deepEqual(await dump(stage.objects), before);

    await stage.objects.patch("MlflowServer", "mlflow", {
      metadata: { annotations: { [annotation.operator]: `${stage.namespace}/second` } },
    });
    await eventually(async () => {
      const { status: now } = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(now?.operator, `${stage.namespace}/second`);
    });
    await eventually(() => assert.ok(stage.operator().log.some(({ reason }) => reason === "OtherOperator")));
  });

  test("a paused server is not changed, continues when it is resumed, and can be deleted", async (context) => {
    const stage = await fixture(context);
    const pause = (value: string | null) =>
      stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { [annotation.paused]: value } } });
    const paused = async () =>
      eventually(async () => {
        const of = await stage.objects.the("MlflowServer", "mlflow");
        assert.equal(condition(of, "Paused").status, "True");
        return of;
      });
    await stage.apply(server());
    await stage.ready();
    await pause("yes");
    await stage.stalled("InvalidAnnotation");
    await pause("true");
    assert.equal(condition(await paused(), "Ready").status, "True");
    const since = await stage.quiet();
    await stage.objects.remove("Service", "mlflow");
    await stage.quiet();
    assert.equal(await stage.objects.get("Service", "mlflow"), undefined);
    assert.deepEqual(await stage.calls(since), []);
    assert.equal(condition(await paused(), "Ready").status, "True");
    await stage.apply(server("mlflow", { "spec.replicas": 0 }));
    await stage.stalled("Paused");
    assert.equal((await stage.objects.the("Deployment", "mlflow")).spec.replicas, 1);
    await pause(null);
    await stage.ready();
    assert.equal((await stage.objects.the("Deployment", "mlflow")).spec.replicas, 0);
    await stage.objects.the("Service", "mlflow");
    await pause("true");
    await paused();
    await stage.objects.remove("MlflowServer", "mlflow");
    await eventually(async () => assert.equal(await stage.objects.get("Deployment", "mlflow"), undefined));
  });

  test("nothing was forbidden", nothingWasForbidden);
});
