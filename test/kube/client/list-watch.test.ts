import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ListWatch, type Resource } from "../../../src/kube/client/list-watch.ts";
import { Store } from "../../../src/kube/client/store.ts";
import type { ListWatchTiming } from "../../../src/kube/client/timing.ts";
import type { KubeObject } from "../../../src/kube/object.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { localClient } from "../../support/local-client.ts";

const timing: ListWatchTiming = {
  backoff: { first: 0.01, longest: 0.05 },
  idleSeconds: 5,
  watchSeconds: [300, 600],
  pageSize: 500,
  absenceSeconds: 0.3,
  rejectedSeconds: 30,
  staleSeconds: 240,
};

interface Script {
  list?: (response: ServerResponse) => void;
  watch?: (response: ServerResponse) => void;
  discovery?: (response: ServerResponse) => void;
}

interface Scripted {
  readonly watch: ListWatch;
  readonly script: Script;
  readonly names: () => string[];
  readonly counts: { lists: number; watches: number; discoveries: number };
  readonly recoveries: () => number;
  readonly relists: () => number;
}

const json = (response: ServerResponse, status: number, body: object) =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

/** A list-watch of NetworkPolicies against a server with configurable responses, and its store. */
async function scripted(
  context: TestContext,
  script: Script = {},
  more: Partial<Resource> = {},
  times: Partial<ListWatchTiming> = {},
): Promise<Scripted> {
  const counts = { lists: 0, watches: 0, discoveries: 0 };
  const items = ["one", "two"].map((name) => ({ metadata: { name, uid: name, resourceVersion: "7" } }));
  const list = (response: ServerResponse) => json(response, 200, { metadata: { resourceVersion: "7" }, items });
  const served = (response: ServerResponse) => json(response, 200, { resources: [{ name: "policies" }] });
  const open = (response: ServerResponse) => response.writeHead(200).flushHeaders();
  const serve = ({ url = "" }: IncomingMessage, response: ServerResponse) => {
    if (url === "/apis/security.example.com/v1") {
      counts.discoveries += 1;
      (script.discovery ?? served)(response);
    } else if (url.includes("watch=true")) {
      counts.watches += 1;
      (script.watch ?? open)(response);
    } else {
      counts.lists += 1;
      (script.list ?? list)(response);
    }
  };
  const server = createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = localClient(server);
  const cache = new Store<KubeObject>(() => {});
  const resource: Resource = {
    name: "policies",
    path: "/apis/security.example.com/v1/policies",
    apiVersion: "security.example.com/v1",
    kind: "Policy",
    ...more,
  };
  let recoveries = 0;
  const observer = {
    recovered: () => {
      recoveries += 1;
    },
  };
  let relists = 0;
  const relisted = () => {
    relists += 1;
  };
  const watch = new ListWatch(client, resource, { ...cache, relisted }, observer, { ...timing, ...times });
  context.after(() => {
    watch.stop();
    client.close();
    server.close();
    server.closeAllConnections();
  });
  const names = () => [...cache.all()].map(({ metadata }) => metadata.name).sort();
  return { watch, script, names, counts, recoveries: () => recoveries, relists: () => relists };
}

const expired = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } };

test("lists again after an ERROR event in one chunk with headers and end of the response", async (context) => {
  const whole = (response: ServerResponse) => {
    const text = `${JSON.stringify(expired)}\n`;
    response.writeHead(200, { "content-length": text.length });
    response.end(text);
  };
  const { counts } = await scripted(context, { watch: whole });
  await eventually(() => assert.ok(counts.lists >= 3, `${counts.lists} lists`));
  assert.ok(counts.watches <= counts.lists, `${counts.watches} watches`);
});

test("lists again after consecutive watches without an event", async (context) => {
  const { counts } = await scripted(context, { watch: (response) => void response.writeHead(200).end() });
  await eventually(() => assert.ok(counts.lists >= 3, `${counts.lists} lists`));
  assert.ok(counts.watches >= 5 * (counts.lists - 1), `${counts.watches} watches, ${counts.lists} lists`);
});

for (const code of [429, 500, 503])
  test(`lists again after repeated ERROR events with ${code}`, async (context) => {
    const event = { type: "ERROR", object: { kind: "Status", code, reason: "r", message: "m" } };
    const { counts } = await scripted(context, {
      watch: (response) => void response.writeHead(200).end(`${JSON.stringify(event)}\n`),
    });
    await eventually(() => assert.ok(counts.lists >= 3, `${counts.lists} lists`));
    assert.ok(counts.watches >= 4 * (counts.lists - 1), `${counts.watches} watches, ${counts.lists} lists`);
  });

test("lists again after repeated 500, but not while the API server is unavailable", async (context) => {
  const failing = await scripted(context, { watch: (response) => json(response, 500, {}) });
  const away = await scripted(context, { watch: (response) => json(response, 503, {}) });
  await eventually(() => assert.ok(failing.counts.lists >= 3 && away.counts.watches >= 12));
  assert.equal(away.counts.lists, 1);
});

test("lists again after idle watches", async (context) => {
  // On a busy machine a shorter limit ends before a watch is open, which is not an idle watch.
  const { counts, watch } = await scripted(context, {}, {}, { idleSeconds: 0.25 });
  await eventually(() => assert.ok(counts.lists >= 3, `${counts.lists} lists`));
  assert.ok(counts.watches <= 2 * counts.lists, `${counts.watches} watches`);
  assert.deepEqual([watch.state().failures, watch.state().error], [0, undefined], "an idle watch is not a failure");
});

test("resumes watches that end after a bookmark", async (context) => {
  const bookmark = `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } })}\n`;
  const { counts } = await scripted(context, { watch: (response) => void response.writeHead(200).end(bookmark) });
  await eventually(() => assert.ok(counts.watches >= 12, `${counts.watches} watches`));
  assert.equal(counts.lists, 1);
});

test("reports since when a watch is rejected, and the error, until it works again", async (context) => {
  const { watch, script, recoveries } = await scripted(context, {
    watch: (response) => json(response, 403, { reason: "Forbidden", message: "no" }),
  });
  await eventually(() => assert.ok(watch.state().rejectedSeconds > 0.2));
  assert.match(String(watch.state().error), /403 Forbidden: no/);
  assert.equal(watch.state().healthySeconds, 0);
  script.watch = (response) => void response.writeHead(200).flushHeaders();
  await eventually(() => assert.ok(watch.state().healthySeconds > 0));
  assert.deepEqual([watch.state().rejectedSeconds, watch.state().error, recoveries()], [0, undefined, 1]);
});

test("does not count an outage as a rejection", async (context) => {
  const { watch } = await scripted(context, { watch: (response) => json(response, 503, {}) });
  await eventually(() => assert.ok(watch.state().failures > 3));
  assert.equal(watch.state().rejectedSeconds, 0);
});

test("the age counts from the last list, event or bookmark, not from the opening of a watch", async (context) => {
  const { watch, script, counts } = await scripted(context, {}, {}, { idleSeconds: 0.2 });
  assert.ok(await watch.synced);
  script.list = (response) => json(response, 503, {});
  await eventually(() => assert.ok(watch.state().ageSeconds > 0.3 && counts.watches > 1));
  assert.ok(watch.state().idleSeconds < 0.3);
});

const optional = { isWanted: () => true };
const notFound = (response: ServerResponse) => json(response, 404, { reason: "NotFound", message: "no such resource" });
const none = (response: ServerResponse) => json(response, 200, { resources: [{ name: "others" }] });

test("a 404 for a kind that discovery still lists is a failure, and the objects are kept", async (context) => {
  const { watch, names } = await scripted(context, { watch: notFound }, { optional });
  const starting = await scripted(context, { list: notFound }, { optional });
  await eventually(() => assert.ok(watch.state().failures > 5 && starting.counts.discoveries > 2));
  assert.deepEqual([watch.isKnown(), names()], [true, ["one", "two"]]);
  assert.equal(starting.watch.isKnown(), undefined, "the absence is not confirmed");
});

test("a kind counts as removed if it is still missing after a time", async (context) => {
  const cut: ServerResponse[] = [];
  const { watch, script, names } = await scripted(
    context,
    { watch: (response) => void cut[cut.push(response) - 1]?.writeHead(200).flushHeaders() },
    { optional },
    { absenceSeconds: 1 },
  );
  assert.ok(await watch.synced);
  await eventually(() => assert.equal(cut.length, 1));
  Object.assign(script, { list: notFound, watch: notFound, discovery: notFound });
  cut[0]?.destroy();
  await steadily(() => {
    assert.equal(watch.isKnown(), true);
    assert.deepEqual(names(), ["one", "two"]);
  }, 0.7);
  await eventually(() => assert.equal(watch.isKnown(), false));
  assert.deepEqual(names(), []);
});

test("a short absence of the kind is ignored", async (context) => {
  const opened: ServerResponse[] = [];
  const { watch, script, names, counts } = await scripted(
    context,
    { watch: (response) => void opened[opened.push(response) - 1]?.writeHead(200).flushHeaders() },
    { optional },
  );
  await eventually(() => assert.equal(opened.length, 1));
  const { watch: open } = script;
  Object.assign(script, { watch: notFound, discovery: none });
  opened[0]?.destroy();
  await eventually(() => assert.ok(counts.discoveries > 0));
  Object.assign(script, { watch: open });
  await eventually(() => assert.equal(opened.length, 2));
  await sleep(400);
  assert.deepEqual([watch.isKnown(), names(), counts.lists], [true, ["one", "two"], 1]);
});

test("a missing kind does not delay the start, and is confirmed after a time", async (context) => {
  let isWanted = false;
  const { watch, counts, relists } = await scripted(
    context,
    { list: notFound, discovery: notFound },
    { optional: { isWanted: () => isWanted } },
  );
  assert.ok(await watch.synced);
  assert.equal(watch.isKnown(), undefined);
  await steadily(() => assert.deepEqual([counts.lists, counts.discoveries, relists()], [1, 0, 0]), 0.3);
  isWanted = true;
  await eventually(() => assert.deepEqual([watch.isKnown(), relists()], [false, 1]));
});

test("without permission to read discovery, the absence is confirmed by time", async (context) => {
  const { watch } = await scripted(
    context,
    { list: notFound, discovery: (response) => json(response, 403, {}) },
    { optional },
  );
  assert.ok(await watch.synced);
  assert.equal(watch.isKnown(), undefined);
  await eventually(() => assert.equal(watch.isKnown(), false));
});
