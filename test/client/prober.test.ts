import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import { sendProbe } from "../../src/client/probe-request.ts";
import { Prober } from "../../src/client/prober.ts";
import { type TracesTiming, tracesRounds } from "../../src/client/traces-rounds.ts";
import type { ProbeEndpoint } from "../../src/reconcile/probe.ts";
import { freePort } from "../control-plane/free-port.ts";
import { eventually, steadily } from "../support/eventually.ts";

const key = { namespace: "team-a", name: "demo" };
const timing = { deniedSeconds: 0.1, againSeconds: 0.02, answeredSeconds: 0.05, timeoutSeconds: 20 };

function setUp(context: TestContext, more: Partial<TracesTiming> = {}) {
  const notifications: string[] = [];
  const rounds = tracesRounds(sendProbe, { ...timing, ...more });
  const prober = new Prober<readonly ProbeEndpoint[], Awaited<ReturnType<typeof rounds.run>>>(
    ({ name }) => notifications.push(name),
    rounds,
  );
  context.after(() => prober.stop());
  const probes = {
    forget: (of: typeof key) => prober.forget(of),
    probes: (of: typeof key, endpoints: readonly ProbeEndpoint[]) => prober.result(of, endpoints)?.results,
  };
  return { notifications, probes };
}

async function endpointOf(context: TestContext, server: Server | TcpServer): Promise<ProbeEndpoint> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  return { what: "pod demo-1", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

const answering = (status: number, text: string, requests: string[] = []) =>
  createServer(({ method, url, headers }, response) => {
    requests.push(`${method} ${url} ${Object.keys(headers).sort()}`);
    response.writeHead(status).end(text);
  });

const envoy = answering(403, "RBAC: access denied");

test("counts a denial by Envoy and a connection that is closed without a response; not a timeout, a failed connection or an unknown host", async (context) => {
  const { probes, notifications } = setUp(context, { timeoutSeconds: 0.5 });
  const closing = createTcpServer((socket) => socket.destroy());
  const silent = createTcpServer(() => {});
  const closed = { what: "pod demo-2", host: "127.0.0.1", port: await freePort() };
  const unknown = { what: "Service/demo", host: "demo.team-a.svc.invalid", port: 5000 };
  const denying = [await endpointOf(context, envoy), await endpointOf(context, closing)];
  const all = [...denying, await endpointOf(context, silent), closed, unknown];
  assert.equal(probes.probes(key, all), undefined, "there is no result yet");
  // On a busy machine a denial can exceed the timeout: then it counts as unanswered until the next attempt.
  await eventually(() => {
    const found = probes.probes(key, all);
    assert.deepEqual([found?.notDenied, found?.denied], [[], 6]);
    assert.equal(found?.unanswered.length, 9);
    assert.match(found?.unanswered.join("\n") ?? "", /no response within 0.5 s.*ECONNREFUSED.*(ENOTFOUND|EAI_AGAIN)/s);
  });
  assert.ok(notifications.length > 0);
  probes.probes(key, denying);
  await eventually(() => assert.deepEqual(probes.probes(key, denying), { notDenied: [], unanswered: [], denied: 6 }));
});

for (const [status, text] of [
  [401, ""],
  [200, "OK"],
  [302, ""],
  [422, "missing x-mlflow-experiment-id"],
  [403, "Permission denied"],
  [503, "this pod is not in the mesh"],
] as const) {
  test(`a response ${status} ${JSON.stringify(text)} is from the server behind the mesh`, async (context) => {
    const { probes } = setUp(context);
    const requests: string[] = [];
    const endpoint = await endpointOf(context, answering(status, text, requests));
    await eventually(() => {
      const found = probes.probes(key, [endpoint])?.notDenied;
      assert.equal(found?.length, 3);
      assert.match(found[0] ?? "", new RegExp(`pod demo-1 .* answered POST /v1/traces with ${status}`));
      assert.match(found[1] ?? "", /POST \/v1%2ftraces/);
    });
    assert.ok(requests.includes("POST /v1%2ftraces connection,content-length,host,user-agent"), `${requests}`);
  });
}

test("does not report a request that is answered once and then denied: the mesh was applying a policy", async (context) => {
  const { probes, notifications } = setUp(context, { deniedSeconds: 60 });
  let requests = 0;
  const server = createServer((_, response) => {
    requests += 1;
    response.writeHead(requests <= 3 ? 401 : 403).end("RBAC: access denied");
  });
  const endpoints = [await endpointOf(context, server)];
  assert.equal(probes.probes(key, endpoints), undefined);
  await eventually(() => assert.deepEqual(probes.probes(key, endpoints)?.notDenied, []));
  assert.deepEqual([requests, notifications], [6, ["demo"]]);
});

test("repeats probes and reports each change once", async (context) => {
  const { probes, notifications } = setUp(context);
  let status = 403;
  const requests: string[] = [];
  const server = createServer((_, response) => {
    requests.push("one");
    response.writeHead(status).end("RBAC: access denied");
  });
  const endpoints = [await endpointOf(context, server)];
  probes.probes(key, endpoints);
  await eventually(() => assert.equal(notifications.length, 1));
  await eventually(() => assert.ok(requests.length >= 6, `${requests.length}`));
  await steadily(() => assert.equal(notifications.length, 1), 0.1);
  // A change between the two requests of a round is reported twice.
  status = 401;
  await eventually(() => assert.equal(probes.probes(key, endpoints)?.notDenied.length, 3));
  const open = notifications.length;
  assert.ok(open === 2 || open === 3, `${open}`);
  await steadily(() => assert.equal(notifications.length, open), 0.5);
  status = 403;
  await eventually(() => assert.deepEqual(probes.probes(key, endpoints)?.notDenied, []));
  assert.ok(notifications.length > open);
});

test("stops probing a server after forget", async (context) => {
  const { probes } = setUp(context);
  const requests: string[] = [];
  const endpoints = [await endpointOf(context, answering(401, "", requests))];
  probes.probes(key, endpoints);
  await eventually(() => assert.equal(probes.probes(key, endpoints)?.notDenied.length, 3));
  probes.forget(key);
  // Except requests in flight.
  await eventually(async () => {
    const sofar = requests.length;
    await steadily(() => assert.equal(requests.length, sofar), 0.5);
  });
  assert.equal(probes.probes(key, endpoints), undefined, "the results are not kept");
});

test("status 101 is a response of the server behind the mesh", async (context) => {
  const { probes } = setUp(context);
  const upgrading = createTcpServer((socket) =>
    socket
      .on("error", () => undefined)
      .once("data", () => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      }),
  );
  const endpoints = [await endpointOf(context, upgrading)];
  await eventually(() => assert.match(`${probes.probes(key, endpoints)?.notDenied}`, /answered POST .* with 101/));
});

test("a request that cannot be sent is unanswered", async () => {
  const request = { endpoint: { what: "pod", host: "127.0.0.1", port: 1 }, method: "GET", path: "/a b" } as const;
  assert.deepEqual(await sendProbe(request, 1), { kind: "unanswered", why: "ERR_UNESCAPED_CHARACTERS" });
});

for (const [what, fails] of [
  ["fails", () => Promise.reject(new Error("a bug"))],
  ["does not end in time", () => new Promise<string>(() => undefined)],
] as const)
  test(`an earlier result is replaced if a round ${what}`, async (context) => {
    const notifications: string[] = [];
    const running = new Prober<string, string>(({ name }) => notifications.push(name), {
      run: (_, { number }) => (number === 0 ? Promise.resolve("secured") : fails()),
      unknown: () => "unknown",
      roundsToReport: () => 1,
      interval: () => 0.05,
      confirmSeconds: 0.05,
      lateSeconds: 0.3,
    });
    context.after(() => running.stop());
    running.result(key, "subject");
    await eventually(() => assert.equal(running.result(key, "subject"), "unknown"));
    assert.deepEqual(notifications, ["demo", "demo"]);
  });
