import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { credentialsFor } from "../../../src/kube/client/api-access.ts";
import { apiClient } from "../../../src/kube/client/api-client.ts";
import type { Change, EventHandler } from "../../../src/kube/client/event-handler.ts";
import { ListWatch, type Resource } from "../../../src/kube/client/list-watch.ts";
import { Store } from "../../../src/kube/client/store.ts";
import type { ListWatchTiming } from "../../../src/kube/client/timing.ts";
import type { KubeObject } from "../../../src/kube/object.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import type { Fault, ProxiedRequest } from "../../support/fault.ts";
import { type FaultProxy, startFaultProxy } from "../../support/fault-proxy.ts";

let cluster: ControlPlane;
let proxy: FaultProxy;
let kubeconfig: string;

before(async () => {
  cluster = await startControlPlane({ controllerManager: false });
  proxy = await startFaultProxy(cluster);
  kubeconfig = await cluster.kubeconfigFor({ name: "watcher", groups: ["system:masters"] }, proxy.url);
});
after(async () => {
  await proxy.close();
  await cluster.close();
});

const timing: ListWatchTiming = {
  backoff: { first: 0.05, longest: 1 },
  idleSeconds: 90,
  watchSeconds: [300, 600],
  pageSize: 500,
  absenceSeconds: 0,
  rejectedSeconds: 30,
  staleSeconds: 240,
};

interface Watched {
  readonly path: string;
  readonly cache: Store<KubeObject>;
  readonly notifications: { change: Change; name: string }[];
  readonly watch: ListWatch;
  /** Number for this resource so far. */
  readonly lists: () => number;
  readonly watches: () => number;
  readonly failures: unknown[];
  readonly isWatch: (request: ProxiedRequest) => boolean;
}

/** Lists and watches ConfigMaps in a new namespace, some of them existing, through the proxy. */
async function watched(
  context: TestContext,
  options: Partial<ListWatchTiming> = {},
  existing = 5,
  more: Partial<Resource> = {},
): Promise<Watched> {
  const namespace = `watch-${randomUUID().slice(0, 8)}`;
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  await call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  await inParallel(existing, (index) => write(path, `old-${index}`));
  const client = apiClient({ credentials: credentialsFor({ kubeconfig }), userAgent: "list-watch" });
  const notifications: Watched["notifications"] = [];
  const failures: unknown[] = [];
  const cache = new Store<KubeObject>(
    (change, { metadata }) => void notifications.push({ change, name: metadata.name }),
  );
  const resource: Resource = { name: "configmaps", path, apiVersion: "v1", kind: "ConfigMap", ...more };
  const observer = { failed: (_resource: string, error: unknown) => void failures.push(error) };
  const before = proxy.requests.length;
  const watch = new ListWatch(client, resource, cache, observer, { ...timing, ...options });
  context.after(() => {
    watch.stop();
    client.close();
    proxy.clear();
  });
  const requests = () => proxy.requests.slice(before).filter((request) => request.path === path);
  return {
    path,
    cache,
    notifications,
    watch,
    failures,
    lists: () => requests().filter((request) => !request.watch && !request.query.has("continue")).length,
    watches: () => requests().filter((request) => request.watch).length,
    isWatch: (request) => request.watch && request.path === path,
  };
}

async function call(method: string, path: string, body?: unknown): Promise<string> {
  const headers: Record<string, string> = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
  const answer = await cluster.request(method, path, { headers, ...(body === undefined ? {} : { body }) });
  assert.ok(answer.status < 300 || answer.status === 409, `${method} ${path}: ${answer.status} ${answer.body}`);
  return answer.body;
}

const write = (path: string, name: string) => call("POST", path, { metadata: { name }, data: { at: randomUUID() } });
const change = (path: string, name: string) => call("PATCH", `${path}/${name}`, { data: { at: randomUUID() } });
const remove = (path: string, name: string) => call("DELETE", `${path}/${name}`);

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(16, count) }, worker));
}

const untilTrue = async (condition: () => boolean, what: string, seconds = 60) => {
  const deadline = performance.now() + seconds * 1000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `${what} did not happen within ${seconds} s`);
    await sleep(10);
  }
};

/** Asserts that names and versions in the cache equal those of a new list. */
async function assertCurrent({ path, cache }: Watched): Promise<void> {
  const { items }: { items: KubeObject[] } = JSON.parse(await call("GET", path));
  const versions = (objects: Iterable<KubeObject>) =>
    [...objects].map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`).sort();
  const wanted = versions(items);
  const isCurrent = () => JSON.stringify(versions(cache.all())) === JSON.stringify(wanted);
  await untilTrue(isCurrent, "the current state in the cache").catch(() => {
    assert.deepEqual(versions(cache.all()), wanted);
  });
}

/** One of each: added, modified, deleted, replaced. */
async function changeAll(path: string, round: number): Promise<void> {
  await write(path, `new-${round}`);
  await change(path, "old-0");
  await write(path, `brief-${round}`);
  await remove(path, `brief-${round}`);
  await remove(path, "old-1");
  await write(path, "old-1");
}

describe("a fault during a watch, with changes before, during and after it", () => {
  const faults: Record<string, { fault: Fault & { kind: "cut" | "hang" | "end" | "error-event" }; lists: number }> = {
    "the connection is cut": { fault: { kind: "cut" }, lists: 1 },
    "the server ends it": { fault: { kind: "end", at: { afterBytes: 0 } }, lists: 1 },
    "it hangs": { fault: { kind: "hang" }, lists: 1 },
    "ERROR event 410": { fault: { kind: "error-event", code: 410 }, lists: 2 },
    "ERROR event 429": { fault: { kind: "error-event", code: 429 }, lists: 1 },
    "ERROR event 500": { fault: { kind: "error-event", code: 500 }, lists: 1 },
  };
  for (const [name, { fault, lists }] of Object.entries(faults)) {
    test(`${name}: ${lists === 1 ? "resumed without a list" : "listed again"}, nothing missed`, async (context) => {
      const one = await watched(context, { idleSeconds: fault.kind === "hang" ? 1 : 90 });
      assert.ok(await one.watch.synced);
      await changeAll(one.path, 1);
      await untilTrue(() => one.notifications.some(({ name: changed }) => changed === "new-1"), "the first change");
      // On a busy machine a watch with an idle limit of a second can be between two connections.
      await untilTrue(() => proxy.interrupt(fault, one.isWatch) > 0, "the fault");
      await changeAll(one.path, 2);
      await assertCurrent(one);
      assert.equal(one.lists(), lists);
      await changeAll(one.path, 3);
      await assertCurrent(one);
    });
  }
});

describe("a watch that cannot be opened three times", () => {
  const faults: Record<string, { fault: Fault; lists: number }> = {
    "403": { fault: { kind: "status", code: 403 }, lists: 1 },
    "410": { fault: { kind: "status", code: 410 }, lists: 4 },
    "429": { fault: { kind: "status", code: 429 }, lists: 1 },
    "500": { fault: { kind: "status", code: 500 }, lists: 1 },
    "503": { fault: { kind: "status", code: 503 }, lists: 1 },
    // A too large resource version, as after restoring a backup, is never reached.
    "504": { fault: { kind: "status", code: 504 }, lists: 2 },
    "cut before the answer": { fault: { kind: "cut", at: "request" }, lists: 1 },
    "cut after the answer": { fault: { kind: "cut", at: "response" }, lists: 1 },
    "no answer": { fault: { kind: "hang", at: "request" }, lists: 1 },
    "a response that ends immediately": { fault: { kind: "end", at: { afterBytes: 0 } }, lists: 1 },
    "a response that breaks within an event": { fault: { kind: "cut", at: { afterBytes: 50 } }, lists: 1 },
    "a response that hangs after an event": { fault: { kind: "hang", at: { afterEvents: 1 } }, lists: 1 },
  };
  for (const [name, { fault, lists }] of Object.entries(faults)) {
    test(`${name}: nothing missed, ${lists} lists`, async (context) => {
      const one = await watched(context, { idleSeconds: fault.kind === "hang" ? 0.5 : 90 });
      assert.ok(await one.watch.synced);
      const handle = proxy.fault({ when: one.isWatch, fault, times: 3 });
      proxy.interrupt({ kind: "cut" }, one.isWatch);
      await handle.first;
      await changeAll(one.path, 1);
      await untilTrue(() => handle.hits() === 3, "the third fault");
      await changeAll(one.path, 2);
      await assertCurrent(one);
      assert.equal(one.lists(), lists);
    });
  }
});

describe("a kind that the cluster may not have", () => {
  const ofList = ({ watch, userAgent, path }: ProxiedRequest) =>
    !watch && userAgent === "list-watch" && path !== "/api/v1";
  const ofDiscovery = ({ path, userAgent }: ProxiedRequest) => path === "/api/v1" && userAgent === "list-watch";
  const optional = { isWanted: () => true };

  test("is not a failure while it is missing or being set up", async (context) => {
    const absent = proxy.fault({ when: ofList, fault: { kind: "status", code: 404 }, times: 2 });
    const notServed = proxy.fault({ when: ofDiscovery, fault: { kind: "status", code: 404 } });
    const one = await watched(context, { backoff: { first: 0.05, longest: 0.2 } }, 5, { optional });
    assert.ok(await one.watch.synced);
    assert.equal(one.watch.isKnown(), false);
    const coming = proxy.fault({ when: ofList, fault: { kind: "status", code: 429 }, times: 2 });
    await untilTrue(() => one.watch.isKnown() === true, "the kind");
    await assertCurrent(one);
    assert.deepEqual([absent.hits(), coming.hits(), notServed.hits(), one.failures], [2, 2, 2, []]);
  });

  test("exists while discovery lists it, even if lists or watches return 404", async (context) => {
    const one = await watched(context, {}, 5, { optional });
    assert.ok(await one.watch.synced);
    const absent = proxy.fault({
      when: ({ userAgent, path }) => userAgent === "list-watch" && path !== "/api/v1",
      fault: { kind: "status", code: 404 },
      times: 3,
    });
    proxy.interrupt({ kind: "cut" }, one.isWatch);
    await untilTrue(() => absent.hits() === 3, "the third answer");
    await changeAll(one.path, 1);
    await assertCurrent(one);
    assert.deepEqual([one.watch.isKnown(), one.lists()], [true, 1]);
  });

  test("is not requested again while it is not wanted", async (context) => {
    const absent = proxy.fault({ when: ofList, fault: { kind: "status", code: 404 }, times: 1 });
    proxy.fault({ when: ofDiscovery, fault: { kind: "status", code: 404 }, times: 1 });
    let isWanted = false;
    const one = await watched(context, { backoff: { first: 0.05, longest: 0.1 } }, 5, {
      optional: { isWanted: () => isWanted },
    });
    assert.ok(await one.watch.synced);
    await sleep(500);
    assert.deepEqual([absent.hits(), one.lists(), one.watch.isKnown()], [1, 1, false]);
    isWanted = true;
    await untilTrue(() => one.watch.isKnown() === true, "the kind");
    await assertCurrent(one);
  });
});

describe("a list that fails", () => {
  for (const code of [401, 403, 410, 429, 500, 503, 504]) {
    test(`with ${code} three times is repeated`, async (context) => {
      const handle = proxy.fault({
        when: ({ watch, userAgent }) => !watch && userAgent === "list-watch",
        fault: { kind: "status", code },
        times: 3,
      });
      const one = await watched(context);
      assert.ok(await one.watch.synced);
      assert.deepEqual([handle.hits(), one.lists(), one.failures.length], [3, 4, 3]);
      await changeAll(one.path, 1);
      await assertCurrent(one);
    });
  }

  test("at one of its pages continues at that page, also after repeated failures", async (context) => {
    const handle = proxy.fault({
      when: ({ query }) => query.has("continue"),
      fault: { kind: "status", code: 500 },
      times: 7,
    });
    const one = await watched(context, { pageSize: 50, backoff: { first: 0.01, longest: 0.05 } }, 220);
    assert.ok(await one.watch.synced);
    assert.deepEqual([handle.hits(), one.lists()], [7, 1]);
    assert.equal(one.notifications.length, 220);
    await assertCurrent(one);
  });

  test("because its continue token has expired is restarted", async (context) => {
    const handle = proxy.fault({
      when: ({ query }) => query.has("continue"),
      fault: { kind: "status", code: 410 },
      nth: 2,
    });
    const one = await watched(context, { pageSize: 50 }, 220);
    assert.ok(await one.watch.synced);
    assert.deepEqual([handle.hits(), one.lists()], [1, 2]);
    assert.equal(one.notifications.length, 220, "objects that were reported before the failure are not reported again");
    await assertCurrent(one);
  });
});

test("reports deletions during a gap after the list", async (context) => {
  const one = await watched(context, { idleSeconds: 1 });
  assert.ok(await one.watch.synced);
  await write(one.path, "last");
  await untilTrue(() => one.notifications.some(({ name }) => name === "last"), "the first change");
  one.notifications.length = 0;
  proxy.fault({ when: one.isWatch, fault: { kind: "status", code: 410 }, times: 1 });
  // On a busy machine a watch with an idle limit of a second can be between two connections.
  await untilTrue(() => proxy.interrupt({ kind: "hang" }, one.isWatch) > 0, "the fault");
  await remove(one.path, "old-2");
  await remove(one.path, "old-3");
  await assertCurrent(one);
  const notifications = one.notifications.map(({ change: kind, name }) => `${kind} ${name}`).sort();
  assert.deepEqual([notifications, one.lists()], [["deleted old-2", "deleted old-3"], 2]);
});

test("handles an ERROR event 410 in one chunk with headers and end of the response", async (context) => {
  const one = await watched(context);
  assert.ok(await one.watch.synced);
  await changeAll(one.path, 1);
  await untilTrue(() => one.notifications.some(({ name }) => name === "new-1"), "the first change");
  const expired = proxy.fault({ when: one.isWatch, fault: { kind: "error-event", isWhole: true }, times: 1 });
  proxy.interrupt({ kind: "cut" }, one.isWatch);
  await expired.first;
  await changeAll(one.path, 2);
  await assertCurrent(one);
  assert.equal(one.lists(), 2);
});

test("obeys Retry-After of a 429", async (context) => {
  const one = await watched(context);
  assert.ok(await one.watch.synced);
  const handle = proxy.fault({
    when: one.isWatch,
    fault: { kind: "status", code: 429, retryAfterSeconds: 2 },
    times: 1,
  });
  proxy.interrupt({ kind: "cut" }, one.isWatch);
  await handle.first;
  const rejectedAt = performance.now();
  const opened = one.watches();
  await untilTrue(() => one.watches() > opened, "the next watch");
  assert.ok(performance.now() - rejectedAt > 1950);
});

test("does not loop if the server ends each watch immediately", async (context) => {
  const one = await watched(context, { backoff: { first: 0.2, longest: 15 } });
  assert.ok(await one.watch.synced);
  proxy.fault({ when: one.isWatch, fault: { kind: "end", at: { afterBytes: 0 } } });
  const opened = one.watches();
  proxy.interrupt({ kind: "cut" }, one.isWatch);
  await sleep(3000);
  assert.ok(one.watches() - opened < 20, `${one.watches() - opened} watches in 3 s`);
});

test("a thousand objects with many broken and hanging connections and expired resource versions", async (context) => {
  const one = await watched(context, { idleSeconds: 0.5, pageSize: 100 }, 300);
  assert.ok(await one.watch.synced);
  const faults = [{ kind: "cut" }, { kind: "hang" }, { kind: "error-event", code: 410 }, { kind: "cut" }] as const;
  let round = 0;
  const storm = setInterval(() => {
    const fault = faults[round++ % faults.length];
    if (fault) proxy.interrupt(fault, one.isWatch);
  }, 150);
  context.after(() => clearInterval(storm));
  await inParallel(1000, async (index) => {
    await write(one.path, `storm-${index}`);
    if (index % 2 === 0) await change(one.path, `storm-${index}`);
    if (index % 3 === 0) await remove(one.path, `storm-${index}`);
  });
  clearInterval(storm);
  await assertCurrent(one);
  context.diagnostic(`${round} faults, ${one.lists()} lists, ${one.watches()} watches`);
});

test("metadata only: receives no content, lists no items, and reports an expired resource version", async (context) => {
  const namespace = `meta-${randomUUID().slice(0, 8)}`;
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  await call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  await inParallel(20, (index) => call("POST", path, { metadata: { name: `s-${index}` }, stringData: { a: "b" } }));
  const client = apiClient({ credentials: credentialsFor({ kubeconfig }), userAgent: "metadata" });
  const notifications: string[] = [];
  const sink: EventHandler<KubeObject> = {
    changed: (kind, object) => {
      notifications.push(`${kind} ${object.metadata.name}`);
      assert.deepEqual(Object.keys(object).sort(), ["apiVersion", "kind", "metadata"]);
      assert.equal(object.kind, "PartialObjectMetadata");
    },
    relisted: () => void notifications.push("relisted"),
  };
  const watch = new ListWatch(client, { name: "secrets", path, apiVersion: "v1", kind: "Secret" }, sink, {}, timing);
  context.after(() => {
    watch.stop();
    client.close();
    proxy.clear();
  });
  assert.ok(await watch.synced);
  await call("PATCH", `${path}/s-3`, { stringData: { a: "c" } });
  await remove(path, "s-4");
  await untilTrue(() => notifications.length === 3, "three calls");
  assert.deepEqual(notifications, ["relisted", "modified s-3", "deleted s-4"]);
  const isWatch = (request: ProxiedRequest) => request.watch && request.path === path;
  proxy.interrupt({ kind: "error-event" }, isWatch);
  await untilTrue(() => notifications.length === 4, "the list");
  assert.equal(notifications[3], "relisted");
  const lists = proxy.requests.filter((request) => request.path === path && !request.watch);
  assert.deepEqual(
    lists.map(({ query }) => query.get("limit")),
    ["1", "1"],
  );
});

test("recovers from a crash of the API server", async (context) => {
  const one = await watched(context);
  assert.ok(await one.watch.synced);
  await changeAll(one.path, 1);
  await cluster.apiserver.restart();
  await changeAll(one.path, 2);
  await assertCurrent(one);
  assert.ok(one.failures.length > 0);
});

test("recovers if the API server hangs for longer than the idle limit", async (context) => {
  const one = await watched(context, { idleSeconds: 1 });
  assert.ok(await one.watch.synced);
  await changeAll(one.path, 1);
  cluster.apiserver.stop();
  const lists = one.lists();
  await sleep(Number(process.env["MLFLOW_OPERATOR_TEST_HANG_SECONDS"] ?? 5) * 1000);
  cluster.apiserver.cont();
  await changeAll(one.path, 2);
  await assertCurrent(one);
  assert.equal(one.lists(), lists, "resumed without a list");
});

test("a watch that is stopped before its first list resolves synced to false", async (context) => {
  proxy.fault({ when: ({ userAgent }) => userAgent === "list-watch", fault: { kind: "hang" } });
  const one = await watched(context);
  one.watch.stop();
  assert.equal(await one.watch.synced, false);
});
