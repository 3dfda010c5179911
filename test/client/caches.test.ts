import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { Caches } from "../../src/client/caches.ts";
import { kindsWith } from "../../src/kube/kinds.ts";
import { localClient } from "../support/local-client.ts";

test("caches read each kind by reference that specs can reference", () => {
  assert.deepEqual(
    kindsWith("referenced"),
    ["Secret", "ConfigMap"],
    "add the new kind to src/client/caches.ts and to the port",
  );
});

test("caches report the state of each watch once all are listed", async (context) => {
  const server = createServer(({ url = "" }, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    if (url.includes("watch=true")) response.flushHeaders();
    else response.end(JSON.stringify({ kind: "List", metadata: { resourceVersion: "1" }, items: [] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = localClient(server);
  const all = new Caches({ client, namespaces: ["team-a"], onServer: () => undefined });
  context.after(() => {
    all.stop();
    client.close();
    server.close();
    server.closeAllConnections();
  });
  assert.ok(await all.synced);
  const states = Object.entries(all.states());
  assert.ok(states.length > 0);
  for (const [name, { isSynced, failures }] of states) assert.deepEqual([isSynced, failures], [true, 0], name);
});
