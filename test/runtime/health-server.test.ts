import assert from "node:assert/strict";
import { test } from "node:test";
import { healthServer } from "../../src/runtime/health-server.ts";

test("healthz and readyz report a problem only while it exists", async (context) => {
  const found: { unhealthy?: string; notReady?: string } = {};
  const server = await healthServer("127.0.0.1", 0, {
    unhealthyBecause: () => found.unhealthy,
    notReadyBecause: () => found.notReady,
    metrics: async () => ({ text: "one 1\n", contentType: "text/plain; version=0.0.4" }),
  });
  context.after(() => server.close());
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { connection: "close" } });
    return `${answer.status} ${await answer.text()}`;
  };
  assert.equal(await get("/healthz"), "200 ok\n");
  found.notReady = "jobs: not listed yet\npods: nothing for 300 s";
  assert.deepEqual([await get("/healthz"), await get("/readyz")], ["200 ok\n", `503 ${found.notReady}\n`]);
  found.unhealthy = "the watch of jobs has stopped";
  assert.equal(await get("/healthz"), "500 the watch of jobs has stopped\n");
  assert.equal(await get("/metrics"), "200 one 1\n");
  assert.match(await get("/secrets"), /^404 /);
});
