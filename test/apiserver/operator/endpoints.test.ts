import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { after, before, describe, type TestContext, test } from "node:test";
import { sendProbe } from "../../../src/client/probe-request.ts";
import { annotation } from "../../../src/kube/names.ts";
import type { SendProbe } from "../../../src/reconcile/probe.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";

/** An address for the simulated pod. */
const podIP = "127.83.0.2";

const secured: RequestListener = ({ url }, response) => {
  if (url === "/health") response.writeHead(200).end("OK");
  else response.writeHead(401, { "content-type": "application/json" }).end("{}");
};
const open: RequestListener = (_, response) =>
  response.writeHead(200, { "content-type": "application/json" }).end("{}");

/** No proxy forwards the address of the Service here, so the request is sent to the pod. */
const probe: SendProbe = (request, seconds) =>
  sendProbe({ ...request, endpoint: { ...request.endpoint, host: podIP } }, seconds);

const endpointTiming = { intervalSeconds: 0.5, confirmSeconds: 0.1, timeoutSeconds: 20, portTimeoutSeconds: 20 };

describe("the condition EndpointSecured", { skip: onK3s() }, () => {
  let answer: RequestListener = secured;
  let requests = 0;
  const mlflow = createServer((request, response) => {
    requests += 1;
    answer(request, response);
  });
  before(async () => {
    await sharedControlPlane();
    await new Promise<void>((resolve) => mlflow.listen(5000, podIP, resolve));
  });
  after(() => mlflow.close());

  const says = (stage: Fixture, reason: string) =>
    eventually(async () => {
      const found = condition(await stage.objects.the("MlflowServer", "mlflow"), "EndpointSecured");
      assert.equal(found.reason, reason, found.message);
      return found;
    });

  /** A ready server whose pod has an address. */
  async function probed(context: TestContext): Promise<Fixture> {
    answer = secured;
    const stage = await fixture(context, { operator: { probe, endpointTiming } });
    await stage.apply(server("mlflow"));
    await stage.ready();
    const { status, reason } = await says(stage, "NotChecked");
    assert.deepEqual([status, reason], ["Unknown", "NotChecked"], "the simulated pod has no address yet");
    const [pod] = (await stage.objects.list("Pod")).filter(({ status: is }) => is?.phase === "Running");
    const address = { status: { podIP, podIPs: [{ ip: podIP }] } };
    await stage.objects.patch("Pod", pod?.metadata.name ?? "", address, "/status");
    await says(stage, "Secured");
    return stage;
  }

  test("reports an endpoint that opens, with an Event and a metric, while Ready stays, and makes no request to the API server meanwhile", async (context) => {
    const stage = await probed(context);
    const quiet = await stage.quiet();
    const before = requests;
    await eventually(() => assert.ok(requests > before + 10, "the probes continue"));
    assert.deepEqual(await stage.calls(quiet), []);
    answer = open;
    const { status, message } = await says(stage, "EndpointOpen");
    assert.equal(status, "False");
    assert.match(message, /^Service\/mlflow \(\S+:5000\) answered GET .* with 200 \(and \d+ more\)/);
    await stage.ready();
    const metrics = async () => (await fetch(`http://127.0.0.1:${stage.operator().healthPort}/metrics`)).text();
    const metric = (is: string, reason: string) =>
      new RegExp(`mlflow_operator_server_endpoint_secured\\{.*name="mlflow",status="${is}",reason="${reason}"\\} 1`);
    await eventually(async () => assert.match(await metrics(), metric("False", "EndpointOpen")));
    answer = secured;
    await says(stage, "Secured");
    await eventually(async () => assert.match(await metrics(), metric("True", "Secured")));
    await eventually(async () => {
      const path = `/apis/events.k8s.io/v1/namespaces/${stage.namespace}/events`;
      const { items }: { items: { reason: string; type: string }[] } = JSON.parse(
        (await stage.cluster.request("GET", path)).body,
      );
      const found = items.filter(({ reason }) => reason.startsWith("Endpoint"));
      assert.deepEqual(found.map(({ reason, type }) => `${type} ${reason}`).sort(), [
        "Normal EndpointSecured",
        "Warning EndpointOpen",
      ]);
    });
  });

  test("is Unknown without an answer, and stays as it was while the operator starts again", async (context) => {
    const stage = await probed(context);
    await stage.stop();
    await stage.start();
    await steadily(async () => {
      const { status } = condition(await stage.objects.the("MlflowServer", "mlflow"), "EndpointSecured");
      assert.equal(status, "True");
    }, 1);
    answer = (_, response) => response.writeHead(503).end();
    const { status } = await says(stage, "ProbeFailed");
    assert.equal(status, "Unknown");
    answer = secured;
    await says(stage, "Secured");
  });

  test("a NetworkPolicy that is deleted is created again, and reported as missing for a paused server", async (context) => {
    const stage = await probed(context);
    await stage.objects.remove("NetworkPolicy", "mlflow");
    await eventually(async () => void (await stage.objects.the("NetworkPolicy", "mlflow")));
    await says(stage, "Secured");
    const pause = (isPaused: boolean) =>
      stage.objects.patch("MlflowServer", "mlflow", {
        metadata: { annotations: { [annotation.paused]: isPaused ? "true" : null } },
      });
    await pause(true);
    await eventually(async () => {
      const paused = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(condition(paused, "Paused").status, "True");
    });
    await stage.objects.remove("NetworkPolicy", "mlflow");
    const { status, message } = await says(stage, "NetworkPolicyMissing");
    assert.equal(status, "False");
    assert.match(message, /^NetworkPolicy mlflow does not exist/);
    await pause(false);
    await says(stage, "Secured");
  });

  test("needs no permission that the operator does not have", nothingWasForbidden);
});
