import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LeaseFence } from "../../../src/kube/client/fence.ts";
import { LeaderElection } from "../../../src/kube/client/leader-election.ts";
import { eventually } from "../../support/eventually.ts";
import { localClient } from "../../support/local-client.ts";

interface Lease {
  metadata: { name: string; resourceVersion: string };
  spec: { holderIdentity?: string; leaseDurationSeconds?: number };
}

interface Fixture {
  readonly election: LeaderElection;
  readonly fence: LeaseFence;
  readonly notifications: string[];
  readonly requests: string[];
  /** Writes the Lease as another process, and sends the watch events. */
  readonly write: (holder: string | undefined) => void;
}

interface Responses {
  /** Handles a watch request. */
  readonly watch?: (response: ServerResponse) => void;
  readonly put?: (response: ServerResponse) => boolean;
}

const timing = { lease: 1.5, renewDeadline: 1, retry: 0.2 };

/** A candidate for the Lease, and an API server with one Lease and the given responses. */
async function fixture(context: TestContext, holder: string | undefined, responses: Responses = {}): Promise<Fixture> {
  let version = 1;
  const named = (holderIdentity: string): Lease => ({
    metadata: { name: "it", resourceVersion: String(version) },
    spec: { holderIdentity, leaseDurationSeconds: 3600 },
  });
  let lease: Lease | undefined = holder === undefined ? undefined : named(holder);
  const requests: string[] = [];
  const watches = new Set<ServerResponse>();
  const sendEvent = (type: string, object: Lease) => {
    for (const watch of watches) watch.write(`${JSON.stringify({ type, object })}\n`);
  };
  const answer = (response: ServerResponse, status: number, body: object) =>
    void response.writeHead(status).end(JSON.stringify(body));
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const isWatch = request.url?.includes("watch=true") === true;
    requests.push(isWatch ? "WATCH" : `${request.method}`);
    if (isWatch) {
      if (responses.watch !== undefined) return responses.watch(response);
      watches.add(response.writeHead(200));
      response.flushHeaders();
      response.on("close", () => watches.delete(response));
      return;
    }
    if (request.method === "GET") return answer(response, lease ? 200 : 404, lease ?? {});
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const written: Lease = JSON.parse(Buffer.concat(chunks).toString());
    if (request.method === "PUT") {
      if (responses.put?.(response)) return;
      if (lease === undefined) return answer(response, 404, {});
      if (written.metadata.resourceVersion !== lease.metadata.resourceVersion) return answer(response, 409, {});
    }
    version += 1;
    lease = { ...written, metadata: { ...written.metadata, resourceVersion: String(version) } };
    answer(response, 200, lease);
    sendEvent("MODIFIED", lease);
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = localClient(server);
  const notifications: string[] = [];
  const log = () => {};
  const fence = new LeaseFence();
  const election = new LeaderElection({
    client,
    namespace: "n",
    name: "it",
    identity: "me",
    fence,
    onElected: () => notifications.push("elected"),
    onLost: () => notifications.push("lost"),
    log: { info: log, warn: log, error: log },
    timing,
  });
  context.after(async () => {
    await election.stop(false);
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return {
    election,
    fence,
    notifications,
    requests,
    write: (next) => {
      version += 1;
      const previous = lease;
      lease = next === undefined ? undefined : named(next);
      if (lease !== undefined) sendEvent("MODIFIED", lease);
      else if (previous !== undefined) sendEvent("DELETED", previous);
    },
  };
}

const failures: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "ends immediately": (response) => void response.writeHead(200).end(),
  "is closed immediately": (response) => void response.destroy(),
  "is rejected": (response) => void response.writeHead(403).end("{}"),
  "returns that its resource version is too old": (response) =>
    void response.writeHead(200).end(`${JSON.stringify({ type: "ERROR", object: { code: 410 } })}\n`),
  "returns that the Lease is deleted": (response) =>
    void response.writeHead(200).end(`${JSON.stringify({ type: "DELETED", object: { metadata: {}, spec: {} } })}\n`),
  "returns no JSON": (response) => void response.writeHead(200).end("<html>\n"),
};

describe("a watch of the Lease that fails", { concurrency: true }, () => {
  for (const [what, watch] of Object.entries(failures))
    for (const holder of ["another", "me"])
      test(`a watch of the Lease that ${what} is not repeated in a loop if ${holder} holds the Lease`, async (context) => {
        const began = performance.now();
        const { requests } = await fixture(context, holder, { watch });
        await eventually(() => assert.ok(requests.length > 4));
        const milliseconds = performance.now() - began;
        assert.ok(milliseconds > 40 * requests.length, `${requests.length} requests in ${milliseconds} ms`);
      });
});

test("a waiting process takes over when the Lease is released, and not before", async (context) => {
  const { notifications, write, fence, election } = await fixture(context, "another");
  await sleep(300);
  assert.deepEqual([notifications, fence.isOpen()], [[], false]);
  write("");
  await eventually(() => assert.deepEqual(notifications, ["elected"]));
  assert.deepEqual([fence.isOpen(), election.isLeader()], [true, true]);
});

test("a leader cannot write and ends as soon as another process acquires its Lease", async (context) => {
  const { notifications, write, fence, election } = await fixture(context, undefined);
  await eventually(() => assert.deepEqual(notifications, ["elected"]));
  await sleep(100);
  let closed = Number.POSITIVE_INFINITY;
  const began = performance.now();
  fence.onClose(() => {
    closed = performance.now() - began;
  });
  write("another");
  await eventually(() => assert.deepEqual(notifications, ["elected", "lost"]));
  assert.ok(closed < 500, `${closed} ms`);
  assert.deepEqual([fence.isOpen(), election.isLeader()], [false, false]);
});

test("a leader without a working watch ends at its next renewal", async (context) => {
  const { notifications, write, fence } = await fixture(context, undefined, {
    watch: (response) => void response.destroy(),
  });
  await eventually(() => assert.deepEqual(notifications, ["elected"]));
  write("another");
  await eventually(() => assert.deepEqual(notifications, ["elected", "lost"]), 2);
  assert.equal(fence.isOpen(), false);
});

test("a leader whose Lease is deleted acquires it again", async (context) => {
  const { notifications, write, fence, election } = await fixture(context, undefined);
  await eventually(() => assert.deepEqual(notifications, ["elected"]));
  await sleep(100);
  write(undefined);
  await sleep(50);
  await eventually(() => assert.equal(fence.isOpen(), true));
  assert.deepEqual([notifications, election.isLeader()], [["elected"], true]);
});

test("a leader that cannot renew the Lease cannot write after the deadline, and ends", async (context) => {
  let isDown = false;
  const { notifications, fence } = await fixture(context, undefined, {
    put: (response) => isDown && Boolean(response.destroy()),
  });
  await eventually(() => assert.deepEqual(notifications, ["elected"]));
  isDown = true;
  const began = performance.now();
  await eventually(() => assert.equal(fence.isOpen(), false));
  const seconds = (performance.now() - began) / 1000;
  assert.ok(seconds <= timing.renewDeadline + 0.3, `${seconds} s`);
  await eventually(() => assert.deepEqual(notifications, ["elected", "lost"]));
});

test("a slow renewal counts from its start", async (context) => {
  let isSlow = false;
  const pendingResponses: ServerResponse[] = [];
  const { notifications, fence } = await fixture(context, undefined, {
    put: (response) => isSlow && Boolean(pendingResponses.push(response)),
  });
  await eventually(() => assert.deepEqual(notifications, ["elected"]));
  isSlow = true;
  await eventually(() => assert.equal(pendingResponses.length, 1));
  await eventually(() => assert.equal(fence.isOpen(), false));
  // Longer than the renewal, which began a moment after the one before it, could open it.
  await sleep(timing.retry * 1000 + 500);
  pendingResponses[0]
    ?.writeHead(200)
    .end(JSON.stringify({ metadata: { name: "it", resourceVersion: "9" }, spec: { holderIdentity: "me" } }));
  await sleep(50);
  assert.equal(fence.isOpen(), false);
});
