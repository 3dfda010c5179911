import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type ProbeTiming, prober } from "../../src/client/prober.ts";
import type { TracesEndpoint } from "../../src/reconcile/traces-endpoints.ts";
import { freePort } from "../control-plane/free-port.ts";
import { eventually, steadily } from "../support/eventually.ts";

const key = { namespace: "team-a", name: "demo" };
const timing = { deniedSeconds: 0.1, againSeconds: 0.02, answeredSeconds: 0.05, timeoutSeconds: 20 };

function setUp(context: TestContext, more: Partial<ProbeTiming> = {}) {
  const told: string[] = [];
  const probes = prober(({ name }) => told.push(name), { ...timing, ...more });
  context.after(() => probes.stop());
  return { told, probes };
}

async function doorOf(context: TestContext, server: Server | TcpServer): Promise<TracesEndpoint> {
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

test("a denial by Envoy is one, and a connection that is closed without an answer; no answer, no connection and no address are not", async (context) => {
  const { probes, told } = setUp(context, { timeoutSeconds: 0.5 });
  const closing = createTcpServer((socket) => socket.destroy());
  const silent = createTcpServer(() => {});
  const nobody = { what: "pod demo-2", host: "127.0.0.1", port: await freePort() };
  const unknown = { what: "Service/demo", host: "demo.team-a.svc.invalid", port: 5000 };
  const denying = [await doorOf(context, envoy), await doorOf(context, closing)];
  const all = [...denying, await doorOf(context, silent), nobody, unknown];
  assert.equal(probes.probes(key, all), undefined, "nothing is known yet");
  // On a busy machine a denial may take longer than the time limit: then it counts as no answer until the next attempt.
  await eventually(() => {
    const found = probes.probes(key, all);
    assert.deepEqual([found?.notDenied, found?.denied], [[], 6]);
    assert.equal(found?.unanswered.length, 9);
    assert.match(found?.unanswered.join("\n") ?? "", /nothing came within 0.5 s.*ECONNREFUSED.*(ENOTFOUND|EAI_AGAIN)/s);
  });
  assert.ok(told.length > 0);
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
  test(`an answer ${status} ${JSON.stringify(text)} came from behind the mesh`, async (context) => {
    const { probes } = setUp(context);
    const requests: string[] = [];
    const door = await doorOf(context, answering(status, text, requests));
    await eventually(() => {
      const found = probes.probes(key, [door])?.notDenied;
      assert.equal(found?.length, 3);
      assert.match(found[0] ?? "", new RegExp(`pod demo-1 .* answered POST /v1/traces with ${status}`));
      assert.match(found[1] ?? "", /POST \/v1%2ftraces/);
    });
    assert.ok(requests.includes("POST /v1%2ftraces connection,content-length,host,user-agent"), `${requests}`);
  });
}

test("what is answered once and then refused is not told: the mesh was taking up a policy", async (context) => {
  const { probes, told } = setUp(context, { deniedSeconds: 60 });
  let requests = 0;
  const server = createServer((_, response) => {
    requests += 1;
    response.writeHead(requests <= 3 ? 401 : 403).end("RBAC: access denied");
  });
  const endpoints = [await doorOf(context, server)];
  assert.equal(probes.probes(key, endpoints), undefined);
  await eventually(() => assert.deepEqual(probes.probes(key, endpoints)?.notDenied, []));
  assert.deepEqual([requests, told], [6, ["demo"]]);
});

test("it goes on knocking, and tells what has changed, once", async (context) => {
  const { probes, told } = setUp(context);
  let status = 403;
  const requests: string[] = [];
  const server = createServer((_, response) => {
    requests.push("one");
    response.writeHead(status).end("RBAC: access denied");
  });
  const endpoints = [await doorOf(context, server)];
  probes.probes(key, endpoints);
  await eventually(() => assert.equal(told.length, 1));
  await eventually(() => assert.ok(requests.length >= 6, `${requests.length}`));
  await steadily(() => assert.equal(told.length, 1), 0.1);
  // A change between the two questions is two changes.
  status = 401;
  await eventually(() => assert.equal(probes.probes(key, endpoints)?.notDenied.length, 3));
  const open = told.length;
  assert.ok(open === 2 || open === 3, `${open}`);
  await steadily(() => assert.equal(told.length, open), 0.5);
  status = 403;
  await eventually(() => assert.deepEqual(probes.probes(key, endpoints)?.notDenied, []));
  assert.ok(told.length > open);
});

test("nobody is asked any more of a server that is forgotten", async (context) => {
  const { probes } = setUp(context);
  const requests: string[] = [];
  const endpoints = [await doorOf(context, answering(401, "", requests))];
  probes.probes(key, endpoints);
  await eventually(() => assert.equal(probes.probes(key, endpoints)?.notDenied.length, 3));
  probes.forget(key);
  // But for what was under way.
  await eventually(async () => {
    const sofar = requests.length;
    await steadily(() => assert.equal(requests.length, sofar), 0.5);
  });
  assert.equal(probes.probes(key, endpoints), undefined, "what was found is not kept");
});
