import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type EndpointTiming, endpointRounds } from "../../src/client/endpoint-rounds.ts";
import { sendProbe } from "../../src/client/probe-request.ts";
import { Prober } from "../../src/client/prober.ts";
import { type EndpointChecks, type EndpointResults, textsOf } from "../../src/reconcile/endpoint-checks.ts";
import { freePort } from "../control-plane/free-port.ts";
import { eventually, steadily } from "../support/eventually.ts";

const key = { namespace: "team-a", name: "demo" };
const timing: EndpointTiming = {
  intervalSeconds: 0.05,
  confirmSeconds: 0.02,
  timeoutSeconds: 20,
  portTimeoutSeconds: 20,
};

/** The answers of a server with MLflow's own users. */
const secured: RequestListener = ({ url }, response) => {
  if (url === "/health") response.writeHead(200).end("OK");
  else response.writeHead(401, { "content-type": "application/json" }).end('{"error_code": "UNAUTHENTICATED"}');
};

async function listening(context: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function checksAt(ports: readonly number[], otherPorts: EndpointChecks["pods"][number]["otherPorts"] = []) {
  return {
    generation: 1,
    scheme: "http",
    host: "demo.team-a.svc:5000",
    expected: { publicPath: "/health", hasPasswords: true },
    isInMesh: false,
    services: [],
    pods: ports.map((port, index) => ({
      endpoint: { what: `pod demo-${index}`, host: "127.0.0.1", port },
      otherPorts,
    })),
  } as const satisfies EndpointChecks;
}

function setUp(context: TestContext, checks: EndpointChecks, more: Partial<EndpointTiming> = {}) {
  const notifications: string[] = [];
  const rounds = endpointRounds(sendProbe, { ...timing, ...more });
  const running = new Prober<EndpointChecks, EndpointResults>(({ name }) => notifications.push(name), rounds);
  context.after(() => running.stop());
  const found = (result: "open" | "unexpected" | "failed") => {
    const results = running.result(key, checks);
    return results === undefined ? undefined : textsOf(results, result);
  };
  return { notifications, found, results: () => running.result(key, checks) };
}

test("reports an endpoint that opens after two rounds, and that it is secured again", async (context) => {
  let answer = secured;
  const port = await listening(context, (request, response) => answer(request, response));
  const { found } = setUp(context, checksAt([port]));
  assert.equal(found("open"), undefined, "there is no result yet");
  await eventually(() => assert.deepEqual([found("open"), found("failed")], [[], []]));
  answer = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end("{}");
  await eventually(() => assert.ok((found("open")?.length ?? 0) > 5, `${found("open")}`));
  const texts = found("open")?.join("\n") ?? "";
  for (const what of [
    /pod demo-0 \(127\.0\.0\.1:\d+\) answered GET \/api\S+ without a credential with 200/,
    /answered GET \/ of a browser without a session with 200/,
    /with forged identity headers with 200/,
    /answered POST \/v1\/traces without a credential with 200/,
    /to MLflow's Assistant with 200/,
    /as admin with the previous default password password1234 with 200/,
  ])
    assert.match(texts, what);
  answer = secured;
  await eventually(() => assert.deepEqual([found("open"), found("failed")], [[], []]));
});

test("sends no credential but previous default passwords, and names the Service", async (context) => {
  const requests: IncomingMessage[] = [];
  const port = await listening(context, (request, response) => {
    requests.push(request);
    secured(request, response);
  });
  const { found } = setUp(context, checksAt([port]), { intervalSeconds: 600 });
  await eventually(() => assert.deepEqual(found("failed"), []));
  const passwords = requests.flatMap(({ headers: { authorization } }) => authorization ?? []);
  assert.deepEqual(
    passwords.map((text) => Buffer.from(text.replace("Basic ", ""), "base64").toString()),
    ["admin:password", "admin:password1234"],
  );
  for (const { headers, method } of requests) {
    assert.deepEqual([headers.host, headers["user-agent"]], ["demo.team-a.svc:5000", "mlflow-operator"]);
    assert.equal(headers.cookie, undefined);
    assert.ok(method === "GET" || (method === "POST" && headers["content-length"] === "0"));
  }
  assert.ok(requests.some(({ headers }) => headers["impersonate-user"] === "admin"));
  assert.ok(requests.length < 12, `${requests.length} requests`);
});

test("does not report an answer that the next round does not repeat", async (context) => {
  let requests = 0;
  const port = await listening(context, (request, response) => {
    requests += 1;
    if (requests > 3) secured(request, response);
    else response.writeHead(200).end("a pod that had this address before");
  });
  const { found, notifications } = setUp(context, checksAt([port]), { intervalSeconds: 600 });
  found("open");
  await eventually(() => assert.deepEqual(found("open"), []));
  assert.deepEqual(notifications, ["demo"]);
});

test("no answer is neither secured nor open, and the other requests are not sent", async (context) => {
  const silent = createTcpServer(() => undefined).listen(0, "127.0.0.1");
  await once(silent, "listening");
  context.after(() => silent.close());
  const connections: unknown[] = [];
  silent.on("connection", (socket) => {
    connections.push(socket);
    context.after(() => socket.destroy());
  });
  const { found } = setUp(context, checksAt([(silent.address() as AddressInfo).port]), {
    intervalSeconds: 600,
    timeoutSeconds: 0.2,
  });
  found("failed");
  await eventually(() =>
    assert.match(found("failed")?.join() ?? "", /did not answer GET .*: no response within 0.2 s/),
  );
  assert.deepEqual(found("open"), []);
  assert.equal(connections.length, 4, "one request in each of four rounds");
});

test("checks each pod in turn, and all of them for requests without a credential", async (context) => {
  const paths = [new Set<string>(), new Set<string>(), new Set<string>()];
  const ports = await Promise.all(
    paths.map((seen) =>
      listening(context, (request, response) => {
        seen.add(`${request.method} ${request.url}`);
        secured(request, response);
      }),
    ),
  );
  const { found } = setUp(context, checksAt(ports));
  await eventually(() => {
    assert.deepEqual(found("failed"), []);
    for (const seen of paths) assert.ok(seen.has("POST /v1/traces") && seen.has("GET /health"), [...seen].join());
  });
});

test("reports a port of the pod at which MLflow can be reached next to oauth2-proxy", async (context) => {
  const serving = await listening(context, secured);
  const own = await listening(context, secured);
  const closed = await freePort();
  const closedPort = { number: closed, isOfMlflow: true };
  const shut = setUp(context, checksAt([serving], [closedPort]));
  await eventually(() => assert.deepEqual(shut.found("open"), []));
  const { found, results } = setUp(context, checksAt([serving], [closedPort, { number: own, isOfMlflow: true }]));
  await eventually(() =>
    assert.match(
      found("open")?.join() ?? "",
      new RegExp(`:${own}\\) answered GET .* with 401: MLflow can be reached without oauth2-proxy`),
    ),
  );
  assert.equal(found("open")?.length, 1);
  const before = JSON.stringify(results());
  await steadily(() => assert.equal(JSON.stringify(results()), before), 0.3);
});

test("a server that answers slowly is not probed longer than the time of one endpoint, and proves nothing", async (context) => {
  let requests = 0;
  const port = await listening(context, (request, response) => {
    requests += 1;
    setTimeout(() => secured(request, response), 150);
  });
  const { found } = setUp(context, checksAt([port]), { intervalSeconds: 600, endpointSeconds: 0.4 });
  found("failed");
  await eventually(() =>
    assert.match(
      found("failed")?.join() ?? "",
      /^pod demo-0 \(127\.0\.0\.1:\d+\) did not answer all probes within 0.4 s$/,
    ),
  );
  assert.ok(requests <= 12, `${requests} requests in four rounds`);
});

test("slow servers of one namespace do not delay those of another", async (context) => {
  const silent = createTcpServer((socket) => void context.after(() => socket.destroy())).listen(0, "127.0.0.1");
  await once(silent, "listening");
  context.after(() => silent.close());
  const slow = (silent.address() as AddressInfo).port;
  const rounds = endpointRounds(sendProbe, { ...timing, timeoutSeconds: 20 });
  const running = new Prober<EndpointChecks, EndpointResults>(() => undefined, rounds);
  context.after(() => running.stop());
  for (let n = 0; n < 40; n++) running.result({ namespace: "slow", name: `demo-${n}` }, checksAt([slow]));
  const fast = checksAt([await listening(context, secured)]);
  const began = performance.now();
  await eventually(() => assert.notEqual(running.result(key, fast), undefined));
  assert.ok(performance.now() - began < 15_000);
});
