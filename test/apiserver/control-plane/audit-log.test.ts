import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";

const cluster = await sharedControlPlane();
describe("calls of one client", { skip: onK3s() }, () => {
  const log = auditLog(cluster);

  test("returns each call of a client once, in order", async () => {
    const userAgent = `counted/${randomUUID()}`;
    const name = `audit-${randomUUID().slice(0, 8)}`;
    const headers = { "user-agent": userAgent };
    const path = "/api/v1/namespaces/default/configmaps";
    await cluster.request("POST", path, { headers, body: { metadata: { name } } });
    await cluster.request("GET", `${path}/${name}`, { headers });
    await cluster.request("GET", `${path}/${name}-absent`, { headers });
    await cluster.request("DELETE", `${path}/${name}`, { headers });
    const calls = await log.calls({ userAgent });
    assert.deepEqual(
      calls.map(({ verb, resource, namespace, name: named, code, user }) => [
        verb,
        resource,
        namespace,
        named,
        code,
        user,
      ]),
      [
        ["create", "configmaps", "default", name, 201, "admin"],
        ["get", "configmaps", "default", name, 200, "admin"],
        ["get", "configmaps", "default", `${name}-absent`, 404, "admin"],
        ["delete", "configmaps", "default", name, 200, "admin"],
      ],
    );
  });

  test("omits calls before the mark and excluded calls", async () => {
    const headers = { "user-agent": `marked/${randomUUID()}` };
    const get = (path: string) => cluster.request("GET", path, { headers });
    await get("/api/v1/pods");
    const since = await log.mark();
    await get("/api/v1/secrets");
    await get("/api/v1/services");
    const calls = await log.calls({
      since,
      userAgent: headers["user-agent"],
      exclude: ({ resource }) => resource === "services",
    });
    assert.deepEqual(
      calls.map(({ resource }) => resource),
      ["secrets"],
    );
  });

  test("returns a thousand calls with sixteen in flight", async () => {
    const headers = { "user-agent": `many/${randomUUID()}` };
    const since = await log.mark();
    let left = 1000;
    const work = async () => {
      while (left-- > 0) await cluster.request("GET", "/api/v1/namespaces/default", { headers });
    };
    await Promise.all(Array.from({ length: 16 }, work));
    assert.equal((await log.calls({ since, userAgent: headers["user-agent"] })).length, 1000);
  });

  test("returns a watch once, and not after a mark during the watch", async () => {
    const headers = { "user-agent": `watching/${randomUUID()}` };
    const watching = cluster.request("GET", "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1", {
      headers,
    });
    while ((await log.calls({ userAgent: headers["user-agent"] })).length === 0);
    const since = await log.mark();
    await watching;
    const all = await log.calls({ userAgent: headers["user-agent"] });
    assert.deepEqual(
      all.map(({ verb, code }) => [verb, code]),
      [["watch", 200]],
    );
    assert.deepEqual(await log.calls({ since, userAgent: headers["user-agent"] }), []);
  });
});
