import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, type TestContext, test } from "node:test";
import type { ApiClient, Call } from "../../../src/kube/client/api-client.ts";
import { type ClockReading, LeaseFence } from "../../../src/kube/client/fence.ts";
import { ApiError } from "../../../src/kube/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { localClient } from "../../support/local-client.ts";

/** A fence with mocked clocks. */
function clocked() {
  const now = { monotonic: 1000, wall: 1e12 };
  const fence = new LeaseFence({ read: () => ({ ...now }) });
  return { fence, now, extend: (seconds: number, from: ClockReading = { ...now }) => fence.extend(from, seconds) };
}

describe("a fence", () => {
  test("is closed initially, and open from the start of a renewal for its duration", () => {
    const { fence, now, extend } = clocked();
    assert.equal(fence.isOpen(), false);
    const before = { ...now };
    now.monotonic += 4000;
    now.wall += 4000;
    extend(10, before);
    assert.equal(fence.isOpen(), true);
    now.monotonic += 5999;
    assert.equal(fence.isOpen(), true);
    now.monotonic += 1;
    assert.equal(fence.isOpen(), false);
  });

  test("stays closed after a renewal that took too long", () => {
    const { fence, now, extend } = clocked();
    const before = { ...now };
    now.monotonic += 20_000;
    extend(10, before);
    assert.equal(fence.isOpen(), false);
  });

  test("is closed by a clock that was set forward or that counts a suspension, until the next renewal", () => {
    const { fence, now, extend } = clocked();
    extend(10);
    now.wall += 3_600_000;
    assert.equal(fence.isOpen(), false);
    extend(10);
    assert.equal(fence.isOpen(), true);
  });

  test("is not kept open by a clock that was set back", () => {
    const { fence, now, extend } = clocked();
    extend(10);
    now.wall -= 3_600_000;
    now.monotonic += 10_000;
    assert.equal(fence.isOpen(), false);
  });

  test("notifies once when its time is over, also after several extensions", (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { fence, now, extend } = clocked();
    const notifications: number[] = [];
    const passes = (milliseconds: number) => {
      now.monotonic += milliseconds;
      now.wall += milliseconds;
      context.mock.timers.tick(milliseconds);
    };
    extend(5);
    fence.onClose(() => void notifications.push(now.monotonic));
    passes(1000);
    extend(20);
    passes(19_999);
    assert.deepEqual(notifications, []);
    passes(1);
    assert.deepEqual(notifications, [22_000]);
    assert.equal(fence.close(), 0);
    assert.equal(notifications.length, 1);
  });

  test("returns the number of requests in flight", () => {
    const fence = new LeaseFence();
    fence.extend(fence.clock.read(), 10);
    fence.onClose(() => {})();
    fence.onClose(() => {});
    assert.equal(fence.close(), 1);
  });
});

interface Fenced {
  readonly client: ApiClient;
  readonly fence: LeaseFence;
  readonly seen: string[];
  readonly open: ServerResponse[];
}

/** A client with a fence, and a server that does not respond to paths with `hangs`. */
async function fenced(context: TestContext): Promise<Fenced> {
  const seen: string[] = [];
  const open: ServerResponse[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.url === "/hangs") open.push(response);
    else response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const fence = new LeaseFence();
  const client = localClient(server, fence);
  context.after(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return { client, fence, seen, open };
}

const isFenced = (error: unknown) => {
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.reason], [0, "LeaseExpired"]);
  return true;
};

const writes: readonly Call["method"][] = ["POST", "PUT", "PATCH", "DELETE"];

describe("a client with a fence", () => {
  for (const method of writes)
    test(`sends no byte of a ${method} while it is closed, on a new or persistent connection`, async (context) => {
      const { client, fence, seen } = await fenced(context);
      await assert.rejects(client.request({ method, path: "/a", body: {} }), isFenced);
      await client.request({ method: "GET", path: "/read" });
      await assert.rejects(client.request({ method, path: "/a", body: {} }), isFenced);
      fence.extend(fence.clock.read(), 10);
      await client.request({ method, path: "/b", body: {} });
      await client.request({ method, path: "/b", body: {} });
      fence.close();
      await assert.rejects(client.request({ method, path: "/a", body: {} }), isFenced);
      assert.deepEqual(seen, ["GET /read", `${method} /b`, `${method} /b`]);
    });

  test("checks the fence after it has waited for a connection", async (context) => {
    const { client, fence, seen, open } = await fenced(context);
    fence.extend(fence.clock.read(), 10);
    const reads = Array.from({ length: 16 }, () => client.request({ method: "GET", path: "/hangs" }));
    await eventually(() => assert.equal(open.length, 16));
    const waiting = client.request({ method: "PUT", path: "/late", body: {} });
    waiting.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    fence.close();
    await assert.rejects(waiting, isFenced);
    for (const response of open) response.end("{}");
    await Promise.all(reads);
    assert.ok(!seen.includes("PUT /late"));
  });

  test("aborts writes in flight and their connections when it closes; reads continue", async (context) => {
    const { client, fence, open } = await fenced(context);
    fence.extend(fence.clock.read(), 0.2);
    const read = client.request({ method: "GET", path: "/hangs" });
    const write = client.request({ method: "PATCH", path: "/hangs", body: {} });
    write.catch(() => {});
    await eventually(() => assert.equal(open.length, 2));
    const patched = open.find(({ req }) => req.method === "PATCH");
    await assert.rejects(write, isFenced);
    await eventually(() => assert.equal(patched?.destroyed, true));
    for (const response of open) if (response !== patched) response.end("{}");
    assert.deepEqual(await read, {});
  });
});
