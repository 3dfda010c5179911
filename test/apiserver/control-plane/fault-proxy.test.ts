import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { after, afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";

const cluster = await sharedControlPlane();
const proxy = await startFaultProxy(cluster);
const user = `jane-${randomUUID().slice(0, 8)}`;
const kubeconfig = await cluster.kubeconfigFor({ name: user, groups: ["system:masters"] }, proxy.url);
const credentials = JSON.parse(await readFile(kubeconfig, "utf8")).users[0].user;
const decoded = (text: string) => Buffer.from(text, "base64");
const agent = new Agent({
  keepAlive: true,
  ca: await readFile(cluster.caFile),
  cert: decoded(credentials["client-certificate-data"]),
  key: decoded(credentials["client-key-data"]),
});
const namespace = `fault-${randomUUID().slice(0, 8)}`;
await cluster.kubectl(["create", "namespace", namespace]);
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;

after(async () => {
  agent.destroy();
  await proxy.close();
  await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]);
});
afterEach(() => proxy.clear());

/** Resolves with the headers of the response. */
function open(method: string, path: string, body?: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, proxy.url), {
      method,
      agent,
      headers: { "content-type": "application/json" },
    });
    outgoing.on("response", resolve).on("error", reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

async function call(method: string, path: string, body?: object) {
  const answer = await open(method, path, body);
  let text = "";
  for await (const chunk of answer) text += chunk;
  return { status: answer.statusCode, headers: answer.headers, body: text };
}

/** The complete events of a watch so far; `ended` resolves with "end" or an error code. */
function events(answer: IncomingMessage) {
  let text = "";
  answer.on("data", (chunk) => {
    text += chunk;
  });
  const ended = new Promise<string>((resolve) => {
    answer
      .on("end", () => resolve("end"))
      .on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
  });
  const list = (): { type: string; object: { code?: number; metadata?: { name?: string } } }[] =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { list, ended };
}

const watch = async () => events(await open("GET", `${configMaps}?watch=1`));
const create = (name: string) => cluster.request("POST", configMaps, { body: { metadata: { name } } });
const exists = async (name: string) => (await cluster.request("GET", `${configMaps}/${name}`)).status === 200;

describe("without faults", () => {
  test("the API server and the audit log have the user and groups of the client", { skip: onK3s() }, async () => {
    const log = auditLog(cluster);
    const { status } = await call("GET", configMaps);
    assert.equal(status, 200);
    const calls = await log.calls({ user });
    assert.deepEqual(
      calls.map(({ verb, resource }) => [verb, resource]),
      [["list", "configmaps"]],
    );
  });

  test("forwards a bearer token", async () => {
    const path = await cluster.kubeconfigFor({ serviceAccount: "default", namespace: "default" }, proxy.url);
    const { stdout } = await cluster.kubectl([
      "auth",
      "whoami",
      "-o",
      "jsonpath={.status.userInfo.username}",
      "--kubeconfig",
      path,
    ]);
    assert.equal(stdout, "system:serviceaccount:default:default");
  });

  test("a client without credentials is anonymous, with any headers", async () => {
    const headers = { "x-remote-user": "admin", "x-remote-group": "system:masters" };
    const outgoing = request(new URL(configMaps, proxy.url), { ca: await readFile(cluster.caFile), headers });
    outgoing.end();
    const [answer] = await once(outgoing, "response");
    answer.resume();
    assert.equal(answer.statusCode, 403);
  });

  test("kubectl works through the proxy", async () => {
    const { stdout, code } = await cluster.kubectl([
      "get",
      "namespace",
      namespace,
      "-o",
      "name",
      "--kubeconfig",
      kubeconfig,
    ]);
    assert.deepEqual([stdout, code], [`namespace/${namespace}\n`, 0]);
  });

  test("keeps connections: twenty requests, no new socket", async () => {
    await call("GET", "/version");
    const before = proxy.sockets.accepted();
    for (let n = 0; n < 20; n++) await call("GET", "/version");
    assert.equal(proxy.sockets.accepted(), before);
  });
});

describe("status", () => {
  for (const [code, reason] of [
    [410, "Expired"],
    [429, "TooManyRequests"],
    [403, "Forbidden"],
    [500, "InternalError"],
  ] as const)
    test(`${code} is returned with a Status, and the API server gets no request`, async () => {
      proxy.fault({ fault: { kind: "status", code, retryAfterSeconds: 7 }, when: ({ method }) => method === "POST" });
      const { status, body, headers } = await call("POST", configMaps, { metadata: { name: `rejected-${code}` } });
      assert.deepEqual([status, headers["retry-after"], JSON.parse(body).reason], [code, "7", reason]);
      assert.equal(await exists(`rejected-${code}`), false);
    });

  test("applies to the second matching request with nth", async () => {
    const handle = proxy.fault({
      when: ({ path }) => path === "/version",
      nth: 2,
      fault: { kind: "status", code: 503 },
    });
    const codes = [];
    for (let n = 0; n < 3; n++) codes.push((await call("GET", "/version")).status);
    assert.deepEqual([codes, handle.hits()], [[200, 503, 200], 1]);
  });
});

describe("cut", () => {
  test("before the request: the write is not done", async () => {
    proxy.fault({ fault: { kind: "cut" } });
    await assert.rejects(call("POST", configMaps, { metadata: { name: "cut-before" } }), { code: "ECONNRESET" });
    assert.equal(await exists("cut-before"), false);
  });

  test("before the response: the write is done without a response", async () => {
    proxy.fault({ fault: { kind: "cut", at: "response" } });
    await assert.rejects(call("POST", configMaps, { metadata: { name: "cut-after" } }), { code: "ECONNRESET" });
    assert.equal(await exists("cut-after"), true);
  });

  test("within a list, after 100 bytes", async () => {
    proxy.fault({ fault: { kind: "cut", at: { afterBytes: 100 } } });
    const list = events(await open("GET", `${configMaps}?limit=500`));
    assert.equal(await list.ended, "ECONNRESET");
  });

  test("a watch after two events", async () => {
    proxy.fault({ when: (r) => r.watch, fault: { kind: "cut", at: { afterEvents: 2 } } });
    const seen = await watch();
    await create("watched-1");
    await create("watched-2");
    assert.equal(await seen.ended, "ECONNRESET");
    assert.equal(seen.list().length, 2);
  });

  test("an open watch immediately", async () => {
    const seen = await watch();
    assert.equal(
      proxy.interrupt({ kind: "cut" }, (r) => r.watch),
      1,
    );
    assert.equal(await seen.ended, "ECONNRESET");
  });
});

describe("hang", () => {
  test("a request gets no response", async () => {
    const { first } = proxy.fault({ fault: { kind: "hang" } });
    const late = Promise.race([call("GET", "/version").catch(() => "closed"), sleep(300, "nothing")]);
    assert.equal((await first).path, "/version");
    assert.equal(await late, "nothing");
  });

  test("an open watch stays open without events", async () => {
    const seen = await watch();
    const named = (name: string) => seen.list().some(({ object }) => object.metadata?.name === name);
    await create("created");
    while (!named("created")) await sleep(10);
    assert.equal(
      proxy.interrupt({ kind: "hang" }, (r) => r.watch),
      1,
    );
    await create("unheard");
    assert.equal(await Promise.race([seen.ended, sleep(300, "open")]), "open");
    assert.equal(named("unheard"), false);
  });
});

describe("other faults", () => {
  test("an ERROR event 410 ends a watch in which it is injected", async () => {
    const seen = await watch();
    proxy.interrupt({ kind: "error-event" }, (r) => r.watch);
    assert.equal(await seen.ended, "end");
    const last = seen.list().at(-1);
    assert.deepEqual([last?.type, last?.object.code], ["ERROR", 410]);
  });

  test("an ERROR event instead of the first event of the next watch", async () => {
    proxy.fault({ when: (r) => r.watch, times: 1, fault: { kind: "error-event" } });
    const seen = await watch();
    assert.equal(await seen.ended, "end");
    assert.deepEqual(
      seen.list().map(({ type }) => type),
      ["ERROR"],
    );
  });

  test("a watch ends without an error after one event", async () => {
    proxy.fault({ when: (r) => r.watch, fault: { kind: "end", at: { afterEvents: 1 } } });
    const seen = await watch();
    await create("last");
    assert.equal(await seen.ended, "end");
    assert.equal(seen.list().length, 1);
  });

  test("delays a request", async () => {
    proxy.fault({ fault: { kind: "delay", milliseconds: 200 } });
    const began = performance.now();
    assert.equal((await call("GET", "/version")).status, 200);
    assert.ok(performance.now() - began >= 190);
  });

  for (const [at, done] of [
    ["request", false],
    ["response", true],
  ] as const)
    test(`a client is killed at the ${at} of its write: the write is ${done ? "" : "not "}done`, async () => {
      const name = `killed-${at}`;
      const manifest = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace } });
      const client = spawn(cluster.address.kubectlProgram, [
        "--kubeconfig",
        kubeconfig,
        "create",
        "--validate=false",
        "-f",
        "-",
      ]);
      const { first } = proxy.fault({
        when: ({ method }) => method === "POST",
        fault: { kind: "run", at, run: () => client.kill("SIGKILL") && once(client, "exit").then(() => "cut") },
      });
      client.stdin.end(manifest);
      await first;
      await once(client, "close");
      assert.equal(client.signalCode, "SIGKILL");
      assert.equal(await exists(name), done);
    });
});
