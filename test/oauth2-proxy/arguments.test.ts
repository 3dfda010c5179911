import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProxySettings } from "../../src/api/fields/oauth2-proxy.ts";
import { proxyFiles } from "../../src/resources/proxy/files.ts";
import { freePort } from "../control-plane/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { certificateFor } from "../support/oidc/certificate.ts";
import { type OidcIssuer, startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { webSession } from "../support/oidc/web-session.ts";
import { proxyMetrics } from "../support/proxy-metrics.ts";
import { forgedHeaders } from "./forged-headers.ts";
import { raw } from "./raw.ts";
import { type RunningProxy, startProxy } from "./running-proxy.ts";

const search = "/api/2.0/mlflow/experiments/search";

describe("the arguments of oauth2-proxy, with the real program", () => {
  let issuer: OidcIssuer;
  let running: RunningProxy;
  let port: number;
  let otherPort: number;
  let metricsPort: number;
  let files: Record<string, string>;
  let settings: ProxySettings;
  const redirectTo = (port: number) => `http://127.0.0.1:${port}/oauth2/callback`;
  before(async () => {
    [port, otherPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
    issuer = await startOidcIssuer({
      clients: [
        { id: "mlflow", secret: "of-mlflow", redirectUris: [redirectTo(port), redirectTo(otherPort)] },
        { id: "public", redirectUris: [redirectTo(otherPort)] },
        { id: "pipeline", secret: "of-pipeline", audience: "mlflow", groups: ["mlflow"] },
        { id: "stray", secret: "of-stray", audience: "mlflow" },
      ],
      people: [
        { login: "alice", password: "of-alice", groups: ["mlflow"] },
        { login: "bob", password: "of-bob", email: "bob@elsewhere.test" },
      ],
    });
    settings = {
      issuerURL: issuer.url,
      clientID: "mlflow",
      authorization: { allAuthenticatedUsers: {} },
      clientSecretRef: { name: "client", key: "secret" },
      ca: { configMapRef: { name: "ca" } },
      redirectURL: redirectTo(port),
      emailDomains: ["example.com"],
    };
    files = { [proxyFiles.issuerCa]: issuer.ca, [proxyFiles.clientSecret]: "of-mlflow" };
    const proxy = { ...settings, authorization: { kubernetes: {} } };
    running = await startProxy({ port, metricsPort, proxy, files });
  });
  after(async () => {
    await running?.stop();
    await issuer?.close();
  });

  const bearer = (token: string) => [`Authorization: Bearer ${token}`];
  const refused = async (path: string, lines: readonly string[]) => {
    const answer = await raw(port, "GET", path, lines);
    assert.deepEqual([answer.status, answer.contentType, answer.body.trim()], [401, "application/json", "{}"]);
    assert.deepEqual(running.forwarded(), [], "it was forwarded");
  };

  test("a program without a credential gets 401 in JSON and never a redirect or a page", async () => {
    const accept = ["Accept: text/html,application/xhtml+xml,*/*;q=0.8"];
    for (const path of [search, "/version", "/health", "/metrics", "/graphql", "/static-files/x.js", "/v1/traces"])
      await refused(path, accept);
    const page = await raw(port, "GET", "/", accept);
    assert.equal(page.status, 302);
    assert.ok(page.location.startsWith(`${issuer.url}/auth?`), page.location);
    assert.match(page.location, /code_challenge_method=S256/);
  });

  test("a valid token is accepted; every other one is rejected", async () => {
    const good = await raw(port, "GET", search, bearer(await issuer.token("alice", "mlflow")));
    assert.equal(good.status, 200, good.body);
    assert.equal(running.forwarded().length, 1);
    const now = Math.floor(Date.now() / 1000);
    const forms = {
      expired: { claims: { exp: now - 1 } },
      "of another audience": { claims: { aud: "another" } },
      "of another issuer": { claims: { iss: "https://elsewhere.test" } },
      "of the issuer with a slash": { claims: { iss: `${issuer.url}/` } },
      "signed with another key": { signedBy: "other-key" },
      unsigned: { signedBy: "none" },
    } as const;
    for (const form of Object.values(forms)) await refused(search, bearer(await issuer.token("alice", "mlflow", form)));
    for (const token of ["", "x", "a.b.c", `${await issuer.token("alice", "mlflow")}x`])
      await refused(search, bearer(token));
    await refused(search, ["Authorization: Basic YWRtaW46cGFzc3dvcmQxMjM0"]);
  });

  test("a valid token with another e-mail domain is rejected", async () => {
    const answer = await raw(port, "GET", search, bearer(await issuer.token("bob", "mlflow")));
    assert.equal(answer.status, 403);
    assert.deepEqual(running.forwarded(), []);
  });

  test("the port of the metrics serves them at any path, passes nothing on, and names no user", async () => {
    await raw(port, "GET", search, bearer(await issuer.token("alice", "mlflow")));
    assert.equal(running.forwarded().length, 1);
    await refused(search, ["Authorization: Bearer x"]);
    for (const path of ["/metrics", "/", search, "/oauth2/sign_in", "/oauth2/auth", "/ping"]) {
      const { status, body } = await raw(metricsPort, "GET", path, bearer(await issuer.token("alice", "mlflow")));
      assert.equal(status, 200);
      for (const name of proxyMetrics) assert.match(body, new RegExp(`^${name}(\\{| )`, "m"));
      assert.match(body, /^oauth2_proxy_requests_total\{code="401"\} [1-9]/m);
      assert.doesNotMatch(body, /alice|example\.com|mlflow/);
    }
    assert.deepEqual(running.forwarded(), []);
  });

  test("no header of a client authenticates it", async () => {
    assert.ok(forgedHeaders.length >= 30);
    for (const lines of forgedHeaders) await refused(search, lines);
  });

  test("MLflow receives the caller's own token, regardless of other headers", async () => {
    const token = await issuer.token("alice", "mlflow");
    for (const lines of forgedHeaders) {
      if (lines.some((line) => /^(authorization|cookie)\b/i.test(line))) continue;
      const answer = await raw(port, "GET", search, [...lines, ...bearer(token)]);
      const [passed] = running.forwarded();
      if (passed === undefined) assert.equal(answer.status, 400, `${lines}: ${answer.status}`);
      else if (passed.headers.authorization !== undefined)
        assert.equal(passed.headers.authorization, `Bearer ${token}`);
      else assert.match(lines.join(), /^connection:.*authorization/i);
    }
  });

  test("MLflow receives only a verified Authorization header, with every authentication method", async () => {
    const good = await issuer.token("alice", "mlflow");
    const bad = await issuer.token("alice", "mlflow", { signedBy: "other-key" });
    const browser = webSession({ ca: issuer.ca });
    await browser.signIn(`http://127.0.0.1:${port}/`, "alice", "of-alice");
    const cookie = `Cookie: ${browser.cookies(`http://127.0.0.1:${port}/`)}`;
    running.forwarded();
    const basic = (user: string, password: string) =>
      `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const ways = [
      [basic(good, "")],
      [basic("x-oauth-basic", good)],
      [basic(good, bad)],
      [basic(bad, good)],
      [...bearer(good), ...bearer(bad)],
      [...bearer(bad), ...bearer(good)],
      [`Authorization: bearer ${good}`],
      [`Authorization: Bearer ${good}, Bearer ${bad}`],
      [`Authorization: Bearer  ${bad}`, cookie],
      [cookie, ...bearer(bad)],
      [cookie, basic("admin", "x")],
      [cookie, basic(bad, "")],
      [cookie, "Authorization: x"],
      [cookie, `Authorization : Bearer ${bad}`],
      [cookie, `authorization_: Bearer ${bad}`],
      [cookie, "Connection: close, Authorization", ...bearer(bad)],
      ["Connection: close, Authorization", ...bearer(good)],
    ];
    let passedOn = 0;
    for (const lines of ways) {
      await raw(port, "GET", search, lines);
      for (const { headers } of running.forwarded()) {
        passedOn += 1;
        const { authorization } = headers;
        if (authorization === undefined) assert.match(lines.join(), /Connection: close, Authorization/);
        else {
          assert.match(authorization, /^Bearer [^ ,]+$/, lines.join());
          assert.notEqual(authorization, `Bearer ${bad}`, lines.join());
        }
        assert.ok(!headers["x-forwarded-access-token"], lines.join());
      }
    }
    assert.ok(passedOn >= 5, `only ${passedOn} came through`);
  });

  test("a path that routes elsewhere needs authentication like any other", async () => {
    for (const path of [
      "/oauth2/../api",
      "/ping/../api",
      "/%2e%2e/api",
      "/health/..;/api",
      "/oauth2%2fauth",
      "/.//api",
      "/api?/",
    ]) {
      const answer = await raw(port, "GET", path);
      assert.ok([301, 400, 401, 404].includes(answer.status), `${path}: ${answer.status}`);
      if (answer.status === 301) assert.match(answer.location, /^\//, path);
      assert.deepEqual(running.forwarded(), [], path);
    }
  });

  test("a browser is redirected through the login and back, and then has its own session", async () => {
    const browser = webSession({ ca: issuer.ca });
    const page = await browser.signIn(`http://127.0.0.1:${port}/`, "alice", "of-alice");
    assert.equal(page.status, 200, page.body);
    const [passed] = running.forwarded();
    assert.match(passed?.headers.authorization ?? "", /^Bearer ey/);
    const claims = JSON.parse(Buffer.from(passed?.headers.authorization?.split(".")[1] ?? "", "base64url").toString());
    assert.deepEqual([claims.sub, claims.groups], ["alice", ["mlflow"]]);
    assert.equal((await browser.open(`http://127.0.0.1:${port}${search}`)).status, 200);
  });

  test("a session of another server is rejected", async () => {
    const browser = webSession({ ca: issuer.ca });
    await browser.signIn(`http://127.0.0.1:${port}/`, "alice", "of-alice");
    const cookie = browser.cookies(`http://127.0.0.1:${port}/`);
    assert.match(cookie, /(^|; )_team-a_demo=/);
    running.forwarded();
    const other = await startProxy({
      proxy: {
        issuerURL: issuer.url,
        clientID: "mlflow",
        authorization: { allAuthenticatedUsers: {} },
        ca: { configMapRef: { name: "ca" } },
      },
      files: { [proxyFiles.issuerCa]: issuer.ca, [proxyFiles.cookieSecret]: "d".repeat(32) },
    });
    try {
      assert.equal((await raw(other.port, "GET", search, [`Cookie: ${cookie}`])).status, 401);
      assert.deepEqual(other.forwarded(), []);
      assert.equal((await raw(port, "GET", search, [`Cookie: ${cookie}`])).status, 200);
    } finally {
      await other.stop();
    }
  });

  test("with a required group, users without it are rejected; a program's groups come from the issuer too", async () => {
    const guarded = await startProxy({
      proxy: {
        issuerURL: issuer.url,
        clientID: "mlflow",
        authorization: { allAuthenticatedUsers: {} },
        ca: { configMapRef: { name: "ca" } },
        allowedGroups: ["mlflow"],
      },
      files: { [proxyFiles.issuerCa]: issuer.ca },
    });
    try {
      const status = async (token: string) => (await raw(guarded.port, "GET", search, bearer(token))).status;
      assert.equal(await status(await issuer.token("alice", "mlflow")), 200);
      assert.equal(await status(await issuer.token("bob", "mlflow")), 403);
      assert.equal(await status(await issuer.token("bob", "mlflow", { claims: { groups: ["x,mlflow"] } })), 403);
      assert.equal(await status(await issuer.clientToken("pipeline", "of-pipeline")), 200);
      assert.equal(await status(await issuer.clientToken("stray", "of-stray")), 403);
      assert.equal(guarded.forwarded().length, 2);
    } finally {
      await guarded.stop();
    }
  });

  test("a session is refreshed at the issuer after its interval", async () => {
    const renewed = await startProxy({
      port: otherPort,
      proxy: { ...settings, redirectURL: redirectTo(otherPort), session: { refresh: "1s", expire: "1h" } },
      files,
    });
    try {
      const browser = webSession({ ca: issuer.ca });
      await browser.signIn(`http://127.0.0.1:${otherPort}/`, "alice", "of-alice");
      const before = issuer.asked.get("/token") ?? 0;
      const statuses = new Set<number>();
      await eventually(async () => {
        statuses.add((await browser.open(`http://127.0.0.1:${otherPort}${search}`)).status);
        assert.ok((issuer.asked.get("/token") ?? 0) > before, "the issuer has not been asked again");
      });
      assert.deepEqual([...statuses], [200]);
    } finally {
      await renewed.stop();
    }
  });

  test("until a session is refreshed its token is passed on, even if it has expired", async () => {
    const hasty = await startOidcIssuer({
      clients: [{ id: "mlflow", secret: "of-mlflow", redirectUris: [redirectTo(otherPort)] }],
      people: [{ login: "alice", password: "of-alice" }],
      tokenSeconds: 2,
    });
    const proxy = { ...settings, issuerURL: hasty.url, redirectURL: redirectTo(otherPort) };
    const patient = await startProxy({
      port: otherPort,
      proxy: { ...proxy, authorization: { kubernetes: { accessReview: "SubjectAccessReview" } } },
      files: { ...files, [proxyFiles.issuerCa]: hasty.ca },
    });
    try {
      const browser = webSession({ ca: hasty.ca });
      await browser.signIn(`http://127.0.0.1:${otherPort}/`, "alice", "of-alice");
      await sleep(2500);
      patient.forwarded();
      assert.equal((await browser.open(`http://127.0.0.1:${otherPort}${search}`)).status, 200);
      const token = patient.forwarded()[0]?.headers.authorization?.slice("Bearer ".length) ?? "";
      const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
      assert.ok(exp < Date.now() / 1000, "it is the one from the login");
      assert.equal((await raw(otherPort, "GET", search, bearer(token))).status, 401, "a program has no session");
    } finally {
      await patient.stop();
      await hasty.close();
    }
  });

  test("a public client signs users in without a secret, by PKCE", async () => {
    const { clientSecretRef: _, ...rest } = settings;
    const open = await startProxy({
      port: otherPort,
      proxy: { ...rest, clientID: "public", redirectURL: redirectTo(otherPort) },
      files,
    });
    try {
      const page = await webSession({ ca: issuer.ca }).signIn(`http://127.0.0.1:${otherPort}/`, "alice", "of-alice");
      assert.equal(page.status, 200, page.body);
      assert.equal(open.forwarded().length, 1);
    } finally {
      await open.stop();
    }
  });

  test("with a certificate it serves only HTTPS", async () => {
    const certificate = await certificateFor("127.0.0.1");
    const secured = await startProxy({ proxy: { ...settings, redirectURL: undefined }, certificate, files });
    try {
      const answer = await webSession({ ca: certificate.ca }).send("GET", `https://127.0.0.1:${secured.port}${search}`);
      assert.deepEqual([answer.status, answer.body.trim()], [401, "{}"]);
      assert.equal((await raw(secured.port, "GET", search)).status, 400);
      assert.deepEqual(secured.forwarded(), []);
    } finally {
      await secured.stop();
    }
  });
});
