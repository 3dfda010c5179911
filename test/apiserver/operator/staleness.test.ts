import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { defaultTiming, type ListWatchTiming } from "../../../src/kube/client/timing.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import type { ProxiedRequest } from "../../support/fault.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import {
  condition,
  type Fixture,
  type FixtureOptions,
  fixture,
  nothingWasForbidden,
} from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";

const timing: ListWatchTiming = {
  ...defaultTiming,
  backoff: { first: 0.1, longest: 0.5 },
  rejectedSeconds: 2,
};

const of =
  (plural: string) =>
  ({ method, path }: ProxiedRequest) =>
    method === "GET" && path.endsWith(`/${plural}`);

async function health(stage: Fixture, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${stage.operator().healthPort}${path}`, {
    headers: { connection: "close" },
  });
  return { status: answer.status, text: await answer.text() };
}

const ready = async (stage: Fixture) => condition(await stage.objects.the("MlflowServer", "mlflow"), "Ready");

describe("an operator that cannot watch reports it", { skip: onK3s(), concurrency: 3 }, () => {
  before(async () => void (await sharedControlPlane()));

  /** The fixture of a test, with its own proxy. */
  async function set(context: TestContext, options: FixtureOptions = {}) {
    const own = await startFaultProxy(await sharedControlPlane());
    context.after(() => own.close());
    return { stage: await fixture(context, { proxy: own, operator: { timing }, ...options }), own };
  }

  for (const code of [401, 403, 404])
    test(`a watch that always fails with ${code}: readyz, metrics and the servers' status name it, until it works`, async (context) => {
      const { stage, own } = await set(context);
      await stage.apply(server("mlflow"));
      await stage.ready("mlflow", 60);
      await eventually(async () => assert.deepEqual(await health(stage, "/readyz"), { status: 200, text: "ok\n" }));
      own.fault({ when: of("networkpolicies"), fault: { kind: "status", code } });
      own.interrupt({ kind: "cut" }, of("networkpolicies"));
      const doubt = await eventually(async () => {
        const found = await ready(stage);
        assert.equal(found.status, "Unknown");
        return found;
      });
      assert.equal(doubt.reason, "WatchFailed");
      assert.match(doubt.message, new RegExp(`cannot watch \\S*networkpolicies \\(${code} `));
      await eventually(async () => {
        const { status, text } = await health(stage, "/readyz");
        assert.equal(status, 503);
        assert.match(text, new RegExp(`networkpolicies: .*${code}`));
      });
      assert.equal((await health(stage, "/healthz")).status, 200, "a restart would not help");
      await eventually(async () => {
        const metrics = (await health(stage, "/metrics")).text;
        assert.match(metrics, /mlflow_operator_watch_consecutive_failures\{resource="[^"]*networkpolicies"\} [1-9]/);
        assert.match(metrics, /mlflow_operator_watch_age_seconds\{resource="[^"]*networkpolicies"\} [1-9]/);
      });
      const quiet = await stage.quiet();
      await steadily(() => {}, 2);
      assert.deepEqual(await stage.calls(quiet), [], "it is reported once");
      // Other changes are still applied.
      await stage.objects.remove("Service", "mlflow");
      await eventually(async () => void (await stage.objects.the("Service", "mlflow")));
      own.clear();
      await stage.ready("mlflow", 60);
      await eventually(async () => assert.equal((await health(stage, "/readyz")).status, 200));
    });

  test("a list that is rejected at startup: servers that were Ready are Unknown, and then Ready again", async (context) => {
    const { stage, own } = await set(context);
    await stage.apply(server("mlflow"));
    await stage.ready("mlflow", 60);
    await stage.stop();
    own.fault({ when: of("jobs"), fault: { kind: "status", code: 403 } });
    await stage.start();
    const doubt = await eventually(async () => {
      const found = await ready(stage);
      assert.equal(found.status, "Unknown");
      return found;
    });
    assert.match(doubt.message, /cannot watch \S*jobs \(403 /);
    await eventually(async () => {
      const { status, text } = await health(stage, "/readyz");
      assert.equal(status, 503);
      assert.match(text, /jobs: not listed yet, GET .*403 Forbidden/);
    });
    own.clear();
    await stage.ready("mlflow", 60);
  });

  for (const code of [409, 500, 503])
    test(`a write that always fails with ${code} is reported with the object and the code`, async (context) => {
      const { stage, own } = await set(context);
      const isDeployment = ({ method, path }: ProxiedRequest) => method !== "GET" && /\/deployments(\/|$)/.test(path);
      own.fault({ when: isDeployment, fault: { kind: "status", code, message: "there are duplicate entries" } });
      await stage.apply(server("mlflow"));
      const stalled = await stage.stalled("ReconcileFailed", "mlflow", 120);
      const { message, status } = condition(stalled, "Ready");
      assert.equal(status, "False");
      assert.match(message, new RegExp(`/deployments: ${code} \\S+: there are duplicate entries`));
      own.clear();
      await stage.ready("mlflow", 90);
    });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
