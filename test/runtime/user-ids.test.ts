import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { apiClient } from "../../src/kube/client/api-client.ts";
import { platformUserIDs } from "../../src/runtime/user-ids.ts";

/** Asks an API server whose responses to `/apis` are these, in order. */
async function userIDs(
  context: TestContext,
  ...responses: readonly (number | readonly string[])[]
): Promise<readonly [string | undefined, number]> {
  let requests = 0;
  const server = createServer((_, response) => {
    const next = responses[requests];
    requests += 1;
    response.writeHead(typeof next === "number" ? next : 200, { "content-type": "application/json" });
    const groups = Array.isArray(next) ? next.map((name) => ({ name })) : [];
    response.end(JSON.stringify(typeof next === "number" ? { kind: "Status", code: next } : { groups }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const credentials = {
    server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    headers: {},
    tls: { rejectUnauthorized: true },
  };
  const client = apiClient({
    credentials: { current: async () => credentials, rejected: () => {} },
    userAgent: "mlflow-operator/test",
  });
  context.after(() => {
    client.close();
    server.close();
  });
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  return [await platformUserIDs(client, new AbortController().signal, log), requests];
}

test("user and group are left to OpenShift, after failures of the API server too", async (context) => {
  assert.deepEqual(await userIDs(context, ["apps", "batch"]), ["fixed", 1]);
  assert.deepEqual(await userIDs(context, ["apps", "security.openshift.io"]), ["namespace", 1]);
  assert.deepEqual(await userIDs(context, 503, 401, ["security.openshift.io"]), ["namespace", 3]);
  assert.deepEqual(await userIDs(context, 403), ["fixed", 1]);
});
