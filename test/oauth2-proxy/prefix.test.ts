import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { signInPage, signInPageName } from "../../src/features/authentication/sign-in-page.ts";
import { externalAddressOf } from "../../src/model/exposure.ts";
import { proxyFiles } from "../../src/resources/proxy/files.ts";
import { freePort } from "../control-plane/free-port.ts";
import { server } from "../support/fixtures.ts";
import { type OidcIssuer, startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { type WebAnswer, type WebSession, webSession } from "../support/oidc/web-session.ts";
import { redirectOfScript } from "../support/page-script.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { raw } from "./raw.ts";
import { type RunningProxy, startProxy } from "./running-proxy.ts";

const prefix = "/clusters/c1/mlflow";
const search = "/api/2.0/mlflow/experiments/search";

describe("a server below a prefix, with the real oauth2-proxy", () => {
  let issuer: OidcIssuer;
  let running: RunningProxy;
  let origin: string;
  const gateways: Gateway[] = [];
  /** The one port of browsers, on which one gateway after the other listens. */
  let outside: number;
  const use = async (mode: "passes" | "strips") => {
    for (const gateway of gateways.splice(0)) gateway.close();
    gateways.push(await openGateway(outside, () => running.port, prefix, mode));
  };
  before(async () => {
    outside = await freePort();
    origin = `http://localhost:${outside}`;
    const exposure = { externalURL: `${origin}${prefix}` };
    const seen = externalAddressOf(server({ exposure }));
    assert.ok(seen !== undefined);
    issuer = await startOidcIssuer({
      clients: [{ id: "mlflow", secret: "of-mlflow", redirectUris: [`${origin}${prefix}/oauth2/callback`] }],
      people: [{ login: "alice", password: "of-alice", groups: ["mlflow"] }],
    });
    running = await startProxy({
      exposure,
      proxy: {
        issuerURL: issuer.url,
        clientID: "mlflow",
        authorization: { allAuthenticatedUsers: {} },
        clientSecretRef: { name: "client", key: "secret" },
        ca: { configMapRef: { name: "ca" } },
      },
      files: {
        [proxyFiles.issuerCa]: issuer.ca,
        [proxyFiles.clientSecret]: "of-mlflow",
        [`${proxyFiles.pages}/${signInPageName}`]: signInPage(seen),
      },
    });
  });
  after(async () => {
    for (const gateway of gateways) gateway.close();
    await running?.stop();
    await issuer?.close();
  });

  const browser = () => webSession({ ca: issuer.ca, addresses: { localhost: "127.0.0.1" } });
  /** Opens a page as a browser with scripts does, and signs in at the issuer's form. */
  const signedIn = async (web: WebSession, url: string): Promise<WebAnswer> => {
    let page = await web.signIn(url, "alice", "of-alice");
    for (let hops = 0; page.body.includes("location.replace"); hops++) {
      assert.ok(hops < 5, `${page.url} leads round in circles`);
      page = await web.signIn(redirectOfScript(page.body, page.url.href), "alice", "of-alice");
    }
    return page;
  };

  for (const mode of ["passes", "strips"] as const) {
    const came = mode === "passes" ? prefix : "";
    describe(`behind a gateway that ${mode} it`, () => {
      before(() => use(mode));

      test("a browser is redirected through the login and back to the requested page", async () => {
        const web = browser();
        const page = await signedIn(web, `${origin}${prefix}/?x=1`);
        assert.deepEqual([page.status, page.url.href], [200, `${origin}${prefix}/?x=1`], page.body);
        assert.deepEqual(
          running.forwarded().map(({ url }) => url),
          [`${came}/?x=1`],
        );
        assert.equal((await web.send("GET", `${origin}${prefix}${search}`)).status, 200);
        assert.deepEqual(
          running.forwarded().map(({ url }) => url),
          [`${came}${search}`],
        );
      });

      test("the state of a login is rejected without the browser's own login cookie", async () => {
        const other = browser();
        const page = await signedIn(other, `${origin}${prefix}/oauth2/callback?code=x&state=y`);
        assert.ok(page.status >= 400, `${page.status}`);
        assert.deepEqual(running.forwarded(), []);
      });

      test("the cookie is for the prefix, and is sent to no other server of the host", async () => {
        const web = browser();
        await signedIn(web, `${origin}${prefix}/`);
        running.forwarded();
        const from = mode === "passes" ? prefix : `${prefix}${prefix}`;
        const start = await web.send("GET", `${origin}${from}/oauth2/start?rd=/`);
        for (const cookie of [start.headers["set-cookie"] ?? []].flat())
          assert.match(cookie, /; Path=\/clusters\/c1\/mlflow(;|$)/);
        assert.equal(start.status, 302);
      });

      test("a program without a credential gets 401 in JSON, and with a token it is allowed", async () => {
        const token = await issuer.token("alice", "mlflow");
        for (const path of [search, "/health", "/v1/traces", "/oauth", "/static-files/x.js"]) {
          const answer = await raw(outside, "GET", `${prefix}${path}`, ["Accept: text/html"]);
          assert.deepEqual([answer.status, answer.body.trim()], [401, "{}"], path);
        }
        assert.deepEqual(running.forwarded(), []);
        const good = await raw(outside, "GET", `${prefix}${search}`, [`Authorization: Bearer ${token}`]);
        assert.equal(good.status, 200, good.body);
        assert.equal(running.forwarded().length, 1);
      });
    });
  }

  test("in the cluster the same port answers without the prefix, only with a token", async () => {
    const token = await issuer.token("alice", "mlflow");
    assert.equal((await raw(running.port, "GET", search, [`Authorization: Bearer ${token}`])).status, 200);
    assert.deepEqual(
      running.forwarded().map(({ url }) => url),
      [search],
    );
    assert.equal((await raw(running.port, "GET", search)).status, 401);
    const page = await raw(running.port, "GET", "/");
    assert.equal(page.status, 403);
    // A browser is redirected to the URL where the login works.
    assert.equal(redirectOfScript(page.body, "http://demo.team-a:5000/#/models"), `${origin}${prefix}/#/models`);
    assert.deepEqual(running.forwarded(), []);
  });

  test("a path that manipulates the prefix needs authentication like any other", async () => {
    const encoded = "/clusters%2fc1%2fmlflow";
    for (const path of [
      `${prefix}${prefix}${search}`,
      `${prefix}/..${search}`,
      `${prefix}/%2e%2e${search}`,
      `${prefix}/oauth2/..${search}`,
      `${prefix}/oauth2/%2e%2e${search}`,
      `${prefix}/oauth2/..;${search}`,
      `${prefix}/oauth2%2f..${search}`,
      `${prefix}//${search}`,
      `//${prefix}${search}`,
      `${encoded}${search}`,
      `${prefix}x${search}`,
      `/oauth2/..${search}`,
      `/oauth2/%2e%2e${search}`,
      `/oauth2/x/..;${search}`,
      `${prefix}/oauth2/auth${search}`,
      `${prefix}/v1%2ftraces`,
      "/v1%2ftraces",
      "/ping/..;/",
      `${prefix}/ping`,
      `${prefix}/ready`,
    ]) {
      const answer = await raw(running.port, "GET", path);
      assert.ok([301, 400, 401, 403, 404].includes(answer.status), `${path}: ${answer.status}`);
      assert.deepEqual(running.forwarded(), [], path);
    }
  });
});
