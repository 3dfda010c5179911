import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiClient, apiClient, find } from "../../../src/kube/client/api-client.ts";
import { ApiError } from "../../../src/kube/errors.ts";

const get = { method: "GET", path: "/api/v1/secrets/s" } as const;

function clientOf(context: TestContext, origin: string, prefix = ""): ApiClient {
  const credentials = {
    server: new URL(`${origin}${prefix}`),
    headers: { Authorization: "Bearer hunter2" },
    tls: { rejectUnauthorized: true },
  };
  const client = apiClient({
    credentials: { current: async () => credentials, rejected: () => {} },
    userAgent: "mlflow-operator/test",
  });
  context.after(() => client.close());
  return client;
}

async function listening(context: TestContext, server: Server | TcpServer): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => void server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}

const serving = (context: TestContext, serve: (request: IncomingMessage, response: ServerResponse) => void) =>
  listening(context, createServer(serve));

async function rejection(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, `an ApiError, not ${String(error)}`);
  return error;
}

describe("a request", () => {
  test("has the user agent and credentials, and the path prefix of the server", async (context) => {
    const origin = await serving(context, ({ url, headers }, response) => {
      response.end(JSON.stringify({ url, agent: headers["user-agent"], authorization: headers.authorization }));
    });
    const answer = await clientOf(context, origin, "/k8s/clusters/c-1/").request({
      ...get,
      query: { labelSelector: "a=b,c!=d", limit: 1, continue: undefined },
    });
    assert.deepEqual(answer, {
      url: "/k8s/clusters/c-1/api/v1/secrets/s?labelSelector=a%3Db%2Cc%21%3Dd&limit=1",
      agent: "mlflow-operator/test",
      authorization: "Bearer hunter2",
    });
  });

  test("parses the response independently of its chunks", async (context) => {
    const origin = await serving(context, (_request, response) => {
      for (const byte of Buffer.from('{"name":"Zürich ☂"}')) response.write(Buffer.of(byte));
      response.end();
    });
    assert.deepEqual(await clientOf(context, origin).request(get), { name: "Zürich ☂" });
  });

  test("waits while 16 are in flight", async (context) => {
    let most = 0;
    const underWay: ServerResponse[] = [];
    const sockets = new Set<Socket>();
    const origin = await serving(context, async ({ socket }, response) => {
      sockets.add(socket);
      most = Math.max(most, underWay.push(response));
      if (underWay.length < 16) return;
      // Another request would arrive in this time.
      await sleep(5);
      for (const each of underWay.splice(0)) each.end("{}");
    });
    const client = clientOf(context, origin);
    await Promise.all(Array.from({ length: 12 * 16 }, () => client.request(get)));
    assert.deepEqual([most, sockets.size], [16, 16]);
  });
});

describe("a rejection", () => {
  test("has the message of the Status, and not the request body", async (context) => {
    const status = { kind: "Status", reason: "Forbidden", message: "no", code: 403, details: { retryAfterSeconds: 3 } };
    const origin = await serving(context, (_request, response) => response.writeHead(403).end(JSON.stringify(status)));
    const error = await rejection(
      clientOf(context, origin).request({ ...get, method: "PUT", query: { a: "hidden" }, body: { data: "hidden" } }),
    );
    assert.equal(error.message, "PUT /api/v1/secrets/s: 403 Forbidden: no");
    assert.deepEqual([error.status, error.reason, error.retryAfterSeconds], [403, "Forbidden", 3]);
    assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /hidden|hunter2/);
  });

  test("does not quote a response that is not from an API server", async (context) => {
    const origin = await serving(context, (_request, response) =>
      response.writeHead(429, { "retry-after": "7" }).end("<html>busy hunter2</html>"),
    );
    const error = await rejection(clientOf(context, origin).request(get));
    assert.deepEqual([error.status, error.reason, error.retryAfterSeconds], [429, "Too Many Requests", 7]);
    assert.doesNotMatch(error.message, /html/);
  });

  for (const [asked, seconds] of [
    ["0.5", 0.5],
    ["3600", 30],
    [String(30 * 24 * 3600), 30],
    ["99999999999999999999", 30],
    ["-1", undefined],
    ["NaN", undefined],
    ["soon", undefined],
    ["", undefined],
    ["Sun, 29 Nov 2026 08:00:07 GMT", 7],
    ["Sun, 29 Nov 2026 09:00:00 GMT", 30],
    ["Sun, 29 Nov 2026 07:59:00 GMT", undefined],
  ] as const) {
    test(`with Retry-After: ${JSON.stringify(asked)} waits for ${seconds} s`, async (context) => {
      const date = "Sun, 29 Nov 2026 08:00:00 GMT";
      const origin = await serving(context, (_request, response) =>
        response.writeHead(503, { "retry-after": asked, date }).end("{}"),
      );
      assert.equal((await rejection(clientOf(context, origin).request(get))).retryAfterSeconds, seconds);
    });
  }

  test("bounds the retry delay of a Status", async (context) => {
    const answers = [3600, -5, "7", null];
    const origin = await serving(context, (_request, response) =>
      response.writeHead(429).end(JSON.stringify({ details: { retryAfterSeconds: answers.shift() } })),
    );
    const client = clientOf(context, origin);
    const found: unknown[] = [];
    for (const _ of [1, 2, 3, 4]) found.push((await rejection(client.request(get))).retryAfterSeconds);
    assert.deepEqual(found, [30, undefined, undefined, undefined]);
  });

  test("with 404: find returns undefined", async (context) => {
    const origin = await serving(context, (_request, response) => response.writeHead(404).end("{}"));
    assert.equal(await find(clientOf(context, origin), get.path), undefined);
  });

  test("is an ApiError for no JSON, no server, a timeout and an abort", async (context) => {
    const origin = await serving(context, ({ url }, response) => {
      if (url === "/html") response.end("<html>");
      if (url === "/half") response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy());
    });
    const client = clientOf(context, origin);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    const reasons = await Promise.all(
      [
        client.request({ method: "GET", path: "/html" }),
        client.request({ method: "GET", path: "/half" }),
        client.request({ method: "GET", path: "/never", timeoutSeconds: 0.05 }),
        client.request({ method: "GET", path: "/never", signal: abort.signal }),
        client.request({ method: "GET", path: "/never", signal: AbortSignal.abort() }),
        clientOf(context, "http://127.0.0.1:1").request(get),
      ].map(async (call) => (await rejection(call)).reason),
    );
    assert.deepEqual(reasons, ["NotJson", "ECONNRESET", "Timeout", "Aborted", "Aborted", "ECONNREFUSED"]);
  });

  test("is the result of each request of a closed client", async (context) => {
    const origin = await serving(context, () => {});
    const client = clientOf(context, origin);
    const hanging = rejection(client.request(get));
    await sleep(20);
    client.close();
    assert.equal((await hanging).status, 0);
    assert.equal((await rejection(client.request(get))).status, 0);
  });
});

/** Responds to the first request of each connection, and resets the connection at the second. */
async function forgetful(context: TestContext): Promise<{ origin: string; requests: () => number }> {
  let requests = 0;
  const server = createTcpServer((socket) => {
    let first = true;
    socket.on("error", () => {});
    socket.on("data", () => {
      requests += 1;
      if (first) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
      else socket.resetAndDestroy();
      first = false;
    });
  });
  return { origin: await listening(context, server), requests: () => requests };
}

describe("a persistent connection that the server has closed", () => {
  test("is replaced, also if there are several", async (context) => {
    const { origin } = await forgetful(context);
    const client = clientOf(context, origin);
    const sixteen = () => Promise.all(Array.from({ length: 16 }, () => client.request(get)));
    await sixteen();
    await sixteen();
    for (const method of ["GET", "PUT", "PATCH", "DELETE"] as const) await client.request({ ...get, method });
  });

  test("fails a POST, whose result is unknown", async (context) => {
    const { origin, requests } = await forgetful(context);
    const client = clientOf(context, origin);
    await client.request({ ...get, method: "POST", body: {} });
    const error = await rejection(client.request({ ...get, method: "POST", body: {} }));
    assert.deepEqual([error.status, requests()], [0, 2]);
  });

  test("is the only reason for a second attempt: the reset of a new connection fails", async (context) => {
    let requests = 0;
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => {
        requests += 1;
        socket.resetAndDestroy();
      });
    });
    const error = await rejection(clientOf(context, await listening(context, server)).request(get));
    assert.deepEqual([error.reason, requests], ["ECONNRESET", 1]);
  });
});

describe("a stream", () => {
  test("is delivered line by line until the server ends it", async (context) => {
    const origin = await serving(context, async (_request, response) => {
      response.write('{"a":1}\n{"b"');
      await sleep(5);
      response.end(":2}\n");
    });
    const lines: string[] = [];
    await clientOf(context, origin).stream(get, 30, (line) => lines.push(line));
    assert.deepEqual(lines, ['{"a":1}', '{"b":2}']);
  });

  test("can run for longer than its idle limit", async (context) => {
    const origin = await serving(context, async (_request, response) => {
      for (let event = 0; event < 12; event++) {
        await sleep(200);
        response.write("{}\n");
      }
    });
    const lines: string[] = [];
    const started = performance.now();
    const error = await rejection(clientOf(context, origin).stream(get, 2, (line) => lines.push(line)));
    assert.deepEqual([error.reason, lines.length], ["Timeout", 12]);
    assert.ok(performance.now() - started > 4390);
  });

  test("fails if it is closed, rejected or aborted, and with the error of its receiver", async (context) => {
    const origin = await serving(context, ({ url }, response) => {
      if (url === "/cut") response.write("{}\n{", () => response.destroy());
      if (url === "/rejected") response.writeHead(410).end('{"reason":"Expired"}');
      if (url === "/thrown" || url === "/open") response.write("{}\n");
    });
    const client = clientOf(context, origin);
    const stream = (path: string, signal?: AbortSignal) =>
      client.stream({ method: "GET", path, ...(signal && { signal }) }, 5, () => {
        if (path === "/thrown") throw new RangeError("of the receiver");
      });
    assert.equal((await rejection(stream("/cut"))).reason, "ECONNRESET");
    assert.equal((await rejection(stream("/rejected"))).reason, "Expired");
    await assert.rejects(stream("/thrown"), RangeError);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    assert.equal((await rejection(stream("/open", abort.signal))).reason, "Aborted");
  });

  test("fails with the error of its receiver if headers, lines and end arrive in one chunk", async (context) => {
    const line = '{"type":"ERROR"}\n';
    const head = (more: string) => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}\r\n\r\n`;
    const answers = [
      `${head(`Content-Length: ${line.length}`)}${line}`,
      `${head("Transfer-Encoding: chunked")}${line.length.toString(16)}\r\n${line}\r\n0\r\n\r\n`,
      `${head("Connection: close\r\nTransfer-Encoding: chunked")}${line.length.toString(16)}\r\n${line}\r\n0\r\n\r\n`,
      `${head("Connection: close")}${line}`,
      `${head(`Content-Length: ${2 * line.length}`)}${line}${line}`,
    ];
    for (const answer of answers) {
      const server = createTcpServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.end(answer));
      });
      const client = clientOf(context, await listening(context, server));
      let lines = 0;
      const thrown = client.stream(get, 5, () => {
        lines += 1;
        throw new RangeError("of the receiver");
      });
      await assert.rejects(thrown, RangeError, answer);
      assert.equal(lines, 1, "no line is delivered after the error");
    }
  });

  test("calls onOpen before its first line, and not if it is rejected", async (context) => {
    const origin = await serving(context, ({ url }, response) => {
      if (url === "/rejected") response.writeHead(403).end("{}");
      else response.end("{}\n");
    });
    const client = clientOf(context, origin);
    const notifications: string[] = [];
    const stream = (path: string) =>
      client.stream(
        { method: "GET", path },
        5,
        () => notifications.push("line"),
        () => notifications.push("open"),
      );
    await stream("/watch");
    await rejection(stream("/rejected"));
    assert.deepEqual(notifications, ["open", "line"]);
  });

  test("does not use the connections of requests", async (context) => {
    const origin = await serving(
      context,
      ({ url }, response) => void (url === "/watch" ? response.write("{}\n") : response.end("{}")),
    );
    const client = clientOf(context, origin);
    const opened = Array.from({ length: 20 }, () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      client.stream({ method: "GET", path: "/watch" }, 5, () => resolve()).catch(() => {});
      return promise;
    });
    await Promise.all(opened);
    assert.deepEqual(await client.request(get), {});
  });
});
