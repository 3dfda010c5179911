import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ProxySettings } from "../../src/api/fields/oauth2-proxy.ts";
import { program } from "../../src/resources/pod/program.ts";
import { proxyFiles } from "../../src/resources/proxy/files.ts";
import { checkRedisProgram } from "../../src/resources/python-programs.ts";
import { completed } from "../control-plane/completed.ts";
import { freePort } from "../control-plane/free-port.ts";
import { raw } from "../oauth2-proxy/raw.ts";
import { type RunningProxy, startProxy } from "../oauth2-proxy/running-proxy.ts";
import { type OidcIssuer, startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { webSession } from "../support/oidc/web-session.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

const search = "/api/2.0/mlflow/experiments/search";

describe("sessions in Redis, with the real oauth2-proxy", {}, () => {
  let redis: RedisServer;
  let issuer: OidcIssuer;
  let proxies: RunningProxy[] = [];
  before(async () => {
    redis = await startRedis();
    const ports = [await freePort(), await freePort()];
    const redirectUris = ports.map((port) => `http://127.0.0.1:${port}/oauth2/callback`);
    issuer = await startOidcIssuer({
      clients: [{ id: "mlflow", secret: "of-mlflow", redirectUris }],
      people: [{ login: "alice", password: "of-alice", groups: ["mlflow"] }],
    });
    for (const [index, port] of ports.entries()) {
      const proxy: ProxySettings = {
        issuerURL: issuer.url,
        clientID: "mlflow",
        authorization: { allAuthenticatedUsers: {} },
        clientSecretRef: { name: "client", key: "secret" },
        ca: { configMapRef: { name: "ca" } },
        ...(redirectUris[index] !== undefined && { redirectURL: redirectUris[index] }),
        session: {
          redis: {
            url: redis.url,
            username: "mlflow",
            passwordSecretRef: { name: "redis", key: "password" },
            ca: { configMapRef: { name: "redis-ca" } },
          },
        },
      };
      const files = {
        [proxyFiles.issuerCa]: issuer.ca,
        [proxyFiles.clientSecret]: "of-mlflow",
        "/etc/oauth2-proxy/ca/redis/ca.crt": redis.certificate.ca,
      };
      proxies.push(await startProxy({ port, proxy, files, env: { OAUTH2_PROXY_REDIS_PASSWORD: redis.password } }));
    }
  });
  after(async () => {
    for (const each of proxies) await each.stop();
    proxies = [];
    await issuer?.close();
    await redis?.stop();
  });

  const signedIn = async (port: number) => {
    const browser = webSession({ ca: issuer.ca });
    const url = `http://127.0.0.1:${port}/`;
    assert.equal((await browser.signIn(url, "alice", "of-alice")).status, 200);
    return { browser, cookie: browser.cookies(url), url };
  };
  const status = async (port: number, cookie: string) => (await raw(port, "GET", search, [`Cookie: ${cookie}`])).status;

  test("a session is valid at every replica, and its cookie is a small ticket", async () => {
    const [one, other] = proxies.map(({ port }) => port);
    assert.ok(one !== undefined && other !== undefined);
    const { cookie } = await signedIn(one);
    assert.ok(cookie.length < 400, `the cookie has ${cookie.length} characters`);
    assert.deepEqual([await status(one, cookie), await status(other, cookie)], [200, 200]);
  });

  test("signing out ends the session for a copy of the cookie, too", async () => {
    const [port] = proxies.map((each) => each.port);
    assert.ok(port !== undefined);
    const { browser, cookie, url } = await signedIn(port);
    assert.equal(await status(port, cookie), 200);
    await browser.send("GET", `${url}oauth2/sign_out`);
    assert.equal(await status(port, cookie), 401);
  });

  test("the check of Redis before the proxy starts reports the reason", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-check-"));
    const caFile = join(directory, "ca.crt");
    await writeFile(caFile, redis.certificate.ca);
    const check = async (differs: Readonly<Record<string, string | undefined>>) => {
      const log = join(directory, "termination-log");
      await rm(log, { force: true });
      const env = {
        ...process.env,
        REDIS_URL: redis.url,
        REDIS_USERNAME: "mlflow",
        REDIS_PASSWORD: redis.password,
        CA_FILE: caFile,
        TERMINATION_LOG: log,
        ...differs,
      };
      const { command, variable } = program(checkRedisProgram);
      const { code } = await completed("python3", command.slice(1), {
        env: { ...env, [variable.name]: variable.value ?? "" },
      });
      const report = await readFile(log, "utf8").catch(() => undefined);
      assert.equal(code, report === undefined ? 0 : 1);
      const { reason = "", message = "" }: { reason?: string; message?: string } = JSON.parse(report ?? "{}");
      assert.ok(!message.includes(redis.password) && !message.includes("of-another"), message);
      return `${reason} ${message}`;
    };
    try {
      assert.equal(await check({}), " ");
      assert.match(
        await check({ REDIS_PASSWORD: "of-another" }),
        /^SessionStoreRejected .*WRONGPASS.*\.passwordSecretRef$/,
      );
      assert.match(await check({ REDIS_PASSWORD: undefined }), /^SessionStoreRejected .*NOAUTH/);
      assert.match(await check({ CA_FILE: undefined }), /^SessionStoreRejected .*\.redis\.ca$/);
      assert.match(await check({ REDIS_URL: `${redis.url}/99` }), /^SessionStoreRejected .*number of the database/);
      const clear = redis.url.replace("rediss:", "redis:");
      assert.match(await check({ REDIS_URL: clear, STARTUP_SECONDS: "0" }), /^SessionStoreUnreachable .*rediss:/);
      assert.match(
        await check({ REDIS_URL: "rediss://127.0.0.1:1", STARTUP_SECONDS: "0" }),
        /^SessionStoreUnreachable .*does not answer/,
      );
      const plain = issuer.url.replace("https:", "rediss:");
      assert.match(await check({ REDIS_URL: plain }), /^SessionStoreRejected .*not trusted/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("while Redis is unavailable, sessions are rejected, and tokens are accepted", async () => {
    const [port] = proxies.map((each) => each.port);
    assert.ok(port !== undefined);
    const { cookie } = await signedIn(port);
    await redis.stop();
    assert.equal(await status(port, cookie), 401);
    const token = await issuer.token("alice", "mlflow");
    assert.equal((await raw(port, "GET", search, [`Authorization: Bearer ${token}`])).status, 200);
  });
});
