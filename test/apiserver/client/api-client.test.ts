import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { credentialsFor } from "../../../src/kube/client/api-access.ts";
import { type ApiClient, apiClient } from "../../../src/kube/client/api-client.ts";
import { ApiError } from "../../../src/kube/errors.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { type FaultProxy, startFaultProxy } from "../../support/fault-proxy.ts";

let access: ClusterAccess;
let proxy: FaultProxy;
let kubeconfig: string;

before(async () => {
  access = await sharedControlPlane();
  proxy = await startFaultProxy(access);
  kubeconfig = await access.kubeconfigFor({ name: "caller", groups: ["system:masters"] }, proxy.url);
});
after(() => proxy.close());

function clientOf(context: TestContext, userAgent = "api-client-test"): ApiClient {
  const client = apiClient({ credentials: credentialsFor({ kubeconfig }), userAgent });
  context.after(() => {
    client.close();
    proxy.clear();
  });
  return client;
}

const configMaps = "/api/v1/namespaces/default/configmaps";
const get = { method: "GET", path: "/api/v1/namespaces/default" } as const;

async function inFlight(many: number, calls: number, call: () => Promise<unknown>): Promise<void> {
  let left = calls;
  const worker = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: many }, worker));
}

describe("many requests", () => {
  for (const [many, sockets] of [
    [1, 1],
    [16, 16],
    [64, 16],
  ] as const) {
    test(`need at most ${sockets} connections with ${many} in flight`, async (context) => {
      const client = clientOf(context);
      const before = proxy.sockets.accepted();
      await inFlight(many, 300, () => client.request(get));
      const opened = proxy.sockets.accepted() - before;
      assert.ok(opened <= sockets, `${opened} connections`);
    });
  }
});

describe("a connection that breaks after the API server has processed the request", () => {
  const broken = { kind: "cut", at: "response" } as const;

  test("fails a POST, which is not retried", async (context) => {
    const userAgent = `once/${randomUUID()}`;
    const client = clientOf(context, userAgent);
    await client.request(get);
    proxy.fault({ when: ({ method }) => method === "POST", fault: broken });
    const body = { metadata: { generateName: "once-" } };
    await assert.rejects(client.request({ method: "POST", path: configMaps, body }), ApiError);
    const calls = await auditLog(access).calls({ userAgent });
    assert.deepEqual(
      calls.map(({ verb }) => verb),
      ["get", "create"],
    );
  });

  test("retries other requests once for each persistent connection and once on a new one", async (context) => {
    const client = clientOf(context);
    await client.request(get);
    const handle = proxy.fault({ when: ({ userAgent }) => userAgent === "api-client-test", fault: broken });
    await assert.rejects(client.request(get), (error) => error instanceof ApiError && error.reason === "ECONNRESET");
    assert.equal(handle.hits(), 2);
    proxy.clear();
    await client.request(get);
    proxy.fault({ when: ({ userAgent }) => userAgent === "api-client-test", fault: broken, times: 1 });
    await client.request(get);
  });
});

test("uses new credentials in the file after a rejection", async (context) => {
  const path = join(access.address.directory, `rotating-${randomUUID()}`);
  const unauthorized = await access.kubeconfigFor({ name: "nobody" });
  await copyFile(unauthorized, path);
  let now = Date.now();
  const credentials = credentialsFor({ kubeconfig: path }, () => now);
  const client = apiClient({ credentials, userAgent: "rotating" });
  context.after(() => client.close());
  const status = () =>
    client.request(get).then(
      () => 200,
      (error) => (error instanceof ApiError ? error.status : -1),
    );
  assert.equal(await status(), 403);
  await copyFile(access.kubeconfigPath, path);
  now += 5000;
  credentials.rejected();
  assert.equal(await status(), 200);
});

test("does not send requests to an API server with an untrusted certificate", async (context) => {
  const path = join(access.address.directory, `distrustful-${randomUUID()}`);
  await writeFile(path, (await readFile(kubeconfig, "utf8")).replace("certificate-authority-data", "no-authority"));
  const client = apiClient({ credentials: credentialsFor({ kubeconfig: path }), userAgent: "api-client-test" });
  context.after(() => client.close());
  const requests = proxy.requests.length;
  await assert.rejects(client.request(get), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 0);
    assert.match(error.reason, /^(UNABLE_TO_|SELF_SIGNED_)/);
    return true;
  });
  assert.equal(proxy.requests.length, requests);
});
