import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container } from "@kubernetes/client-node";
import { annotation } from "../../src/kube/names.ts";
import { proxyPort } from "../../src/model/names.ts";
import { serverContainer } from "../../src/resources/deployment.ts";
import { eventually } from "../support/eventually.ts";
import { condition } from "../support/operator-fixture.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { addressOf, timeoutSeconds } from "./live-fixture.ts";
import { mlflowAt } from "./mlflow.ts";
import { assertUnreachable, type ProxyFixture, proxyFixture } from "./proxy-fixture.ts";
import { waitUntil } from "./wait-until.ts";
import { webPod } from "./web-pod.ts";

const name = "guarded";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

test("what opens an endpoint is repaired immediately or reported within a minute", {
  timeout: 2_000_000,
}, async (context) => {
  const fixture = await proxyFixture(context);
  const { objects } = fixture;
  await imageReference(fixture.cluster, "busybox");
  for (const pod of ["listed", "unlisted"]) await objects.create("Pod", webPod(pod));
  // The operator and the clients of this process are outside the cluster.
  const host = { ipBlock: { cidr: `${fixture.cluster.hostAddress}/32` } };
  const from = [host, { podSelector: { matchLabels: { app: "listed" } } }];
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { oauth2Proxy: fixture.proxy },
    networkPolicy: { from },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name);
  await secured(fixture);
  const service = await addressOf(objects, name);
  const anonymous = await fixture.asAnonymous(name);
  /** With a new connection: one that is kept stays with its pod when the Service changes. */
  const status = async (path: string) => (await (await fixture.asAnonymous(name)).call("GET", path)).status;
  const listening = [{ containerPort: bypassPort }];

  await context.test("a deleted NetworkPolicy is created again immediately", async (step) => {
    await waitUntil(async () => assert.ok(!(await reaches(fixture, "unlisted", service, 5000))), 60);
    const { uid } = (await objects.the("NetworkPolicy", name)).metadata;
    const began = performance.now();
    await objects.remove("NetworkPolicy", name);
    await eventually(async () => assert.notEqual((await objects.the("NetworkPolicy", name)).metadata.uid, uid));
    assertRepaired(step, "the NetworkPolicy existed again", began);
    await waitUntil(async () => assert.ok(!(await reaches(fixture, "unlisted", service, 5000))), 60);
    assertRepaired(step, "an unlisted pod had no access again", began);
    await secured(fixture);
  });

  await context.test("a changed argument is reverted before a pod serves with it", async (step) => {
    const polling = pollOf(anonymous);
    const began = performance.now();
    const change = ({ args = [], ...rest }: V1Container) => ({ ...rest, args: [...args, "--skip-auth-route=.*"] });
    await changeContainers(fixture, (all) => all.map((each) => (isProxy(each) ? change(each) : each)));
    await eventually(async () => {
      const { args = [] } = (await containersOf(fixture)).find(isProxy) ?? {};
      assert.ok(!args.includes("--skip-auth-route=.*"));
    });
    assertRepaired(step, "the argument was reverted", began);
    await fixture.ready(name);
    const statuses = await polling.end();
    assert.ok(statuses.includes(401) && !statuses.includes(200), `${statuses}`);
    await secured(fixture);
  });

  await context.test("an environment variable that another client adds is reported", async (step) => {
    // The operator leaves variables of other field managers as they are.
    const variable = { name: "OAUTH2_PROXY_SKIP_AUTH_ROUTES", value: ".*" };
    const change = ({ env = [], ...rest }: V1Container) => ({ ...rest, env: [...env, variable] });
    await changeContainers(fixture, (all) => all.map((each) => (isProxy(each) ? change(each) : each)));
    const open = await openedAt(async () => assert.equal(await status(search), 200));
    await assertReported(step, fixture, "EndpointOpen", open, /answered GET .* without a credential with 200/);
    const without = ({ env = [], ...rest }: V1Container) => ({
      ...rest,
      env: env.filter((each) => each.name !== variable.name),
    });
    await changeContainers(fixture, (all) => all.map((each) => (isProxy(each) ? without(each) : each)));
    await secured(fixture);
    assert.equal(await status(search), 401);
  });

  await fixture.apply({ metadata: { name }, spec: { ...spec, networkPolicy: { enabled: false } } });
  await context.test("another Service opens no port, without a NetworkPolicy as well", async () => {
    const { selector = {} } = (await objects.the("Service", name)).spec;
    const ports = [
      { name: "proxy", port: 5000, targetPort: proxyPort },
      { name: "own", port: 5001, targetPort: 5000 },
    ];
    await objects.create("Service", { metadata: { name: "another" }, spec: { selector, ports } });
    const address = await addressOf(objects, "another");
    await waitUntil(async () => assert.ok(await reaches(fixture, "unlisted", address, 5000)), 60);
    assert.equal((await mlflowAt({ address, host: name }).call("GET", search)).status, 401);
    assert.ok(!(await reaches(fixture, "unlisted", address, 5001)), "MLflow's own port is reachable");
    await assertUnreachable(fixture, name);
    await secured(fixture);
  });

  await context.test("a second container port that bypasses oauth2-proxy is reported", async (step) => {
    await changeContainers(fixture, (all) => {
      const { image, securityContext } = all.find(({ name }) => name === serverContainer) ?? {};
      const bypass = { name: "bypass", command: ["python", "-c", forwarder], ports: listening };
      return [...all, { ...bypass, ...(image && { image }), ...(securityContext && { securityContext }) }];
    });
    const open = await openedAt(async () => {
      const [pod] = await fixture.pods(name);
      assert.ok(await reaches(fixture, "unlisted", pod?.status?.podIP ?? "", bypassPort));
    });
    const port = new RegExp(`^pod \\S+ \\(\\S+:${bypassPort}\\) answered GET .* without a credential with 200`);
    await assertReported(step, fixture, "EndpointOpen", open, port);
    // With the NetworkPolicy neither clients nor the operator can reach the port.
    await fixture.apply({ metadata: { name }, spec });
    const [pod] = await fixture.pods(name);
    const address = pod?.status?.podIP ?? "";
    await waitUntil(async () => {
      for (const client of ["listed", "unlisted"]) assert.ok(!(await reaches(fixture, client, address, bypassPort)));
    }, 60);
    await secured(fixture);
    await changeContainers(fixture, (all) => all.filter((each) => each.name !== "bypass"));
    await fixture.ready(name);
    await secured(fixture);
  });

  await context.test("the changed selector of the Service is reverted", async (step) => {
    const { selector = {}, ports = [] } = (await objects.the("Service", name)).spec;
    const began = performance.now();
    await selectUnlisted(fixture);
    await eventually(async () => assert.deepEqual((await objects.the("Service", name)).spec.selector, selector));
    assertRepaired(step, "the selector was reverted", began);
    await waitUntil(async () => assert.equal(await status(search), 401), 60);
    await secured(fixture);

    await step.test("of a paused server it is reported", async (paused) => {
      await pause(fixture, true);
      const targetPort = 8080;
      await selectUnlisted(fixture, { ports: ports.map((each) => ({ ...each, targetPort })) });
      const open = await openedAt(async () => assert.equal(await status("/"), 200));
      await assertReported(paused, fixture, "EndpointOpen", open, /^Service\/guarded \(\S+:5000\) answered /);
      await pause(fixture, false);
      await secured(fixture);
      await waitUntil(async () => assert.equal(await status(search), 401), 60);
    });
  });

  await context.test("the deleted NetworkPolicy of a paused server is reported", async (step) => {
    await pause(fixture, true);
    await objects.remove("NetworkPolicy", name);
    const deleted = Date.now();
    await waitUntil(async () => assert.ok(await reaches(fixture, "unlisted", service, 5000)), 60);
    await assertReported(step, fixture, "NetworkPolicyMissing", deleted, /^NetworkPolicy guarded does not exist/);
    await pause(fixture, false);
    await secured(fixture);
    await waitUntil(async () => assert.ok(!(await reaches(fixture, "unlisted", service, 5000))), 60);
  });
});

const bypassPort = 8888;

/** Passes connections on to MLflow's own port, which accepts them from its pod only. */
const forwarder = `
import asyncio

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    there, back = await asyncio.open_connection("127.0.0.1", 5000)
    await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

async def main():
    await (await asyncio.start_server(serve, "0.0.0.0", ${bypassPort})).serve_forever()

asyncio.run(main())
`;

const isProxy = (container: V1Container) => container.name !== serverContainer && container.name !== "bypass";

async function secured(fixture: ProxyFixture): Promise<void> {
  const server = await fixture.reason(name, "EndpointSecured", "Secured");
  assert.equal(condition(server, "EndpointSecured").status, "True");
  await waitUntil(async () => {
    assert.match(await fixture.metrics(), metricOf("True", "Secured"));
    const events = (await fixture.objects.list("Event")).filter(({ action }) => action === "Probe");
    const [newest] = events.toSorted((a, b) => (a.metadata.name > b.metadata.name ? -1 : 1));
    assert.equal(newest?.reason ?? "EndpointSecured", "EndpointSecured");
  }, 60);
}

/** Returns the time at which the assertion is fulfilled. */
async function openedAt(assertion: () => Promise<void>): Promise<number> {
  await waitUntil(assertion, timeoutSeconds);
  return Date.now();
}

/** Asserts that condition, Event and metric report a time within a minute after `open`. */
async function assertReported(
  step: TestContext,
  fixture: ProxyFixture,
  reason: "EndpointOpen" | "NetworkPolicyMissing",
  open: number,
  message: RegExp,
): Promise<void> {
  const found = condition(await fixture.reason(name, "EndpointSecured", reason), "EndpointSecured");
  assert.equal(found.status, "False");
  assert.match(found.message, message);
  // Times of conditions are in whole seconds.
  const seconds = (Date.parse(found.lastTransitionTime) - open) / 1000;
  step.diagnostic(`reported after ${seconds.toFixed(1)} s`);
  assert.ok(seconds < 60, `${seconds}`);
  await waitUntil(async () => {
    assert.match(await fixture.metrics(), metricOf("False", reason));
    const events = await fixture.objects.list("Event");
    const own = events.filter((event) => event.reason === reason && event.type === "Warning");
    assert.ok(
      own.some(({ note }) => note !== undefined && message.test(note)),
      JSON.stringify(own),
    );
  }, 60);
}

function metricOf(status: string, reason: string): RegExp {
  const labels = `[^}]*name="${name}",status="${status}",reason="${reason}"`;
  return new RegExp(`mlflow_operator_server_endpoint_secured\\{${labels}\\} 1`);
}

function assertRepaired(step: TestContext, what: string, began: number): void {
  const seconds = (performance.now() - began) / 1000;
  step.diagnostic(`${what} after ${seconds.toFixed(2)} s`);
  assert.ok(seconds < 60, `${what}: ${seconds}`);
}

async function containersOf({ objects }: ProxyFixture): Promise<readonly V1Container[]> {
  return (await objects.the("Deployment", name)).spec.template.spec?.containers ?? [];
}

/** Changes the containers in the Deployment, as another client can. */
async function changeContainers(
  fixture: ProxyFixture,
  change: (all: readonly V1Container[]) => readonly V1Container[],
): Promise<void> {
  const containers = change(await containersOf(fixture));
  await fixture.objects.patch("Deployment", name, { spec: { template: { spec: { containers } } } });
}

/** Changes the Service so that it selects a pod that is not of the server, as another client can. */
async function selectUnlisted({ objects }: ProxyFixture, change: object = {}): Promise<void> {
  const { selector = {} } = (await objects.the("Service", name)).spec;
  const removed = Object.fromEntries(Object.keys(selector).map((key) => [key, null]));
  await objects.patch("Service", name, { spec: { ...change, selector: { ...removed, app: "unlisted" } } });
}

/** Sets or removes the annotation with which the operator changes nothing for the server. */
async function pause(fixture: ProxyFixture, isPaused: boolean): Promise<void> {
  const annotations = { [annotation.paused]: isPaused ? "true" : null };
  await fixture.objects.patch("MlflowServer", name, { metadata: { annotations } });
  if (isPaused) await fixture.reason(name, "Paused", "Paused");
}

/** Whether a pod gets an HTTP answer from the address. */
async function reaches(fixture: ProxyFixture, pod: string, address: string, port: number): Promise<boolean> {
  const sent = "(printf 'GET /health HTTP/1.0\\r\\n\\r\\n'; busybox sleep 1)";
  const ask = `${sent} | busybox nc -w 3 ${address} ${port}`;
  return (await fixture.inPod(pod, ["busybox", "sh", "-c", ask]).catch(() => "")).startsWith("HTTP/1");
}

/** Sends requests until `end`, which returns the different statuses. */
function pollOf(anonymous: ReturnType<typeof mlflowAt>) {
  const statuses = new Set<number>();
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const headers = { connection: "close" };
      await anonymous.call("GET", search, { headers }).then(
        ({ status }) => statuses.add(status),
        () => undefined,
      );
      await sleep(50);
    }
  })();
  return {
    end: async () => {
      isOver = true;
      await running;
      return [...statuses];
    },
  };
}
