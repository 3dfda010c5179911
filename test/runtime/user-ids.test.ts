import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { apiClient } from "../../src/kube/client/api-client.ts";
import { platformUserIDs } from "../../src/runtime/user-ids.ts";

/** The resources of a version of OpenShift's group; undefined without the group. */
type Resources = readonly string[] | undefined;

/** Asks an API server that answers with these status codes first, and then as one with these resources. */
async function userIDs(
  context: TestContext,
  resources: Resources,
  ...failures: readonly number[]
): Promise<readonly [string | undefined, number]> {
  let requests = 0;
  const versions = [{ groupVersion: "security.openshift.io/v1", version: "v1" }];
  const groups = [{ name: "apps", versions: [] }, ...(resources ? [{ name: "security.openshift.io", versions }] : [])];
  const answers: Readonly<Record<string, unknown>> = {
    "/apis": { groups },
    "/apis/security.openshift.io/v1": { resources: resources?.map((name) => ({ name })) },
  };
  const server = createServer(({ url = "" }, response) => {
    const status = failures[requests] ?? (answers[url] === undefined ? 404 : 200);
    requests += 1;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(status === 200 ? answers[url] : { kind: "Status", code: status }));
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

const ofOpenShift = ["rangeallocations", "securitycontextconstraints"];

test("user and group are left to OpenShift, after failures of the API server too", async (context) => {
  assert.deepEqual(await userIDs(context, undefined), ["fixed", 1]);
  assert.deepEqual(await userIDs(context, ofOpenShift), ["namespace", 2]);
  assert.deepEqual(await userIDs(context, ofOpenShift, 503, 401), ["namespace", 4]);
  assert.deepEqual(await userIDs(context, ofOpenShift, 403), ["fixed", 1]);
});

test("an API group with the name of OpenShift's and without SecurityContextConstraints changes nothing", async (context) => {
  assert.deepEqual(await userIDs(context, []), ["fixed", 2]);
  assert.deepEqual(await userIDs(context, ["securitycontextconstraintsreviews"]), ["fixed", 2]);
});
