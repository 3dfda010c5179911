import assert from "node:assert/strict";
import { test } from "node:test";
import { raw } from "../oauth2-proxy/raw.ts";
import { startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { webSession } from "../support/oidc/web-session.ts";
import { missingChromium, signInByChromium } from "./chromium-login.ts";
import { everyRoute, openRoutes } from "./every-route.ts";
import { forwarding } from "./forward.ts";
import { oldestVersion, testedVersion } from "./live-cluster.ts";
import { addressOf, adminOf, liveFixture } from "./live-fixture.ts";
import { gatewayModes, prefixRoute } from "./prefix-route.ts";
import { oidcRoutesProgram, routesProgram } from "./routes.ts";
import { spanOf } from "./span.ts";

const create = "/ajax-api/2.0/mlflow/experiments/create";
const me = "/api/2.0/mlflow/users/current";

/** Public routes with basic authentication, and with the plugin for OpenID Connect; docs/security.md lists them. */
const isPublic = {
  passwords: /^(\/health|\/(ajax-)?api\/3\.0\/mlflow\/server-info|\/static-files\/.*)$/,
  issued:
    /^(\/health(\/.*)?|\/metrics|\/providers|\/(login|callback)(\/.*)?|\/oidc\/(ui|static)(\/.*)?|\/static-files\/.*|\/docs.*|\/redoc|\/openapi\.json|\/scim\/v2\/.*|\/slo\/.*|\/saml\/.*)$/,
} as const;

test("with and without a path prefix, with MLflow's own authentication", {
  timeout: 1_800_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const way = await forwarding(context);
  const browserUrl = `http://localhost:${way.port}`;
  const prefixOf = (name: string) => `/clusters/${fixture.namespace}/${name}`;
  const issuer = await startOidcIssuer({
    address: fixture.cluster.hostAddress,
    clients: [
      { id: "mlflow", secret: "of-the-client-12345", redirectUris: [`${browserUrl}${prefixOf("issued")}/callback`] },
    ],
    people: [{ login: "ada", password: "of-ada-1234567", groups: ["mlflow-admin"] }],
  });
  context.after(() => issuer.close());
  await fixture.objects.create("ConfigMap", { metadata: { name: "issuer-ca" }, data: { "ca.crt": issuer.ca } });
  await fixture.objects.create("Secret", { metadata: { name: "oidc" }, stringData: { secret: "of-the-client-12345" } });
  const oidc = {
    discoveryURL: `${issuer.url}/.well-known/openid-configuration`,
    clientID: "mlflow",
    clientSecretRef: { name: "oidc", key: "secret" },
    scopes: ["openid", "email", "profile", "groups"],
    usernameClaim: "sub",
    userGroup: "mlflow",
    adminGroup: "mlflow-admin",
    ca: { configMapRef: { name: "issuer-ca" } },
  };
  const servers = { passwords: { basic: {} }, issued: { oidc } } as const;
  for (const [name, authentication] of Object.entries(servers))
    await fixture.apply({
      metadata: { name },
      spec: {
        version: name === "passwords" ? oldestVersion : testedVersion,
        backendStore: { sqlite: {} },
        artifactStore: { persistentVolume: {} },
        authentication,
        exposure: { externalURL: `${browserUrl}${prefixOf(name)}` },
      },
    });
  const routes = {
    passwords: await prefixRoute(fixture, "passwords", prefixOf("passwords")),
    issued: await prefixRoute(fixture, "issued", prefixOf("issued")),
  };
  for (const name of ["passwords", "issued"]) await fixture.ready(name);
  const { address } = routes.issued;
  way.forwardTo({ address, port: 80 });
  const admin = await adminOf(fixture.objects, "passwords");
  const basic = `Basic ${Buffer.from(`${admin.username}:${admin.password}`).toString("base64")}`;
  const to = { host: address, name: new URL(browserUrl).host };

  for (const mode of gatewayModes) {
    await context.test(`with passwords, behind a gateway that ${mode} the prefix`, async () => {
      await routes.passwords.use(mode);
      const prefix = prefixOf("passwords");
      const call = (method: string, path: string, lines: readonly string[], body?: string) =>
        raw(80, method, `${prefix}${path}`, lines, { ...to, ...(body !== undefined && { body }) });
      const login = [`Authorization: ${basic}`];
      assert.equal((await call("GET", me, [])).status, 401);
      assert.equal((await call("GET", me, login)).status, 200);
      const write = (origin: string) =>
        call("POST", create, [...login, `Origin: ${origin}`], JSON.stringify({ name: `${mode} ${origin}` }));
      assert.equal((await write("https://evil.example.com")).status, 403);
      assert.equal((await write(browserUrl)).status, 200);
      const trace = JSON.stringify(spanOf(mode));
      assert.equal((await call("POST", "/v1/traces", [...login, "x-mlflow-experiment-id: 0"], trace)).status, 200);
      assert.equal((await call("POST", "/v1/traces", ["x-mlflow-experiment-id: 0"], trace)).status, 401);
      assert.match((await call("GET", "/", login)).body, /<title>MLflow<\/title>/);
      // Other host names are rejected.
      const other = await raw(80, "GET", `${prefix}${me}`, login, { ...to, name: "evil.example.com" });
      assert.equal(other.status, 403, other.body);
    });

    await context.test(`with OpenID Connect, behind a gateway that ${mode} the prefix`, async (issued) => {
      await routes.issued.use(mode);
      const prefix = prefixOf("issued");
      const url = `${browserUrl}${prefix}`;
      const web = webSession({ ca: issuer.ca, addresses: { localhost: "127.0.0.1" } });

      await issued.test("a user signs in, returns below the prefix, and is authenticated", async () => {
        const page = await web.signIn(`${url}/login`, "ada", "of-ada-1234567");
        assert.equal(page.status, 200, page.body);
        assert.ok(page.url.href.startsWith(`${url}/`), page.url.href);
        const known = await web.send("GET", `${url}${me}`);
        assert.match(known.body, /"username":"ada"/);
        assert.match((await web.send("GET", `${url}/`)).body, /<title>MLflow<\/title>/);
        const { body } = await web.send("GET", `${url}/oidc/ui/config.json`);
        assert.equal(JSON.parse(body).basePath, prefix);
      });

      await issued.test("the session cookie is limited to the prefix, with a name unique to the server", async () => {
        const { headers } = await webSession({ addresses: { localhost: "127.0.0.1" } }).send("GET", `${url}/login`);
        const cookies = [headers["set-cookie"] ?? []].flat();
        assert.ok(cookies.length > 0);
        for (const cookie of cookies) assert.match(cookie, new RegExp(`; Path=${prefix}(;|$)`));
      });

      await issued.test("the same with a real browser", { skip: missingChromium }, async () => {
        const login = { issuer: new URL(issuer.url).hostname, login: "ada", password: "of-ada-1234567" };
        const { url: end } = await signInByChromium({ url: `${url}/login`, ...login, text: "Experiments" });
        assert.ok(end.startsWith(`${url}/`), end);
      });
    });
  }

  for (const [name, program] of [
    ["passwords", routesProgram],
    ["issued", oidcRoutesProgram],
  ] as const) {
    await context.test(
      `every route of the server ${name} except public ones answers 401 without a credential`,
      async () => {
        const all = await everyRoute(fixture, name, program);
        const service = await addressOf(fixture.objects, name);
        for (const prefix of ["", prefixOf(name)]) {
          const open = await openRoutes(service, name, all, prefix);
          // Some of the plugin's routes answer 403 instead of 401.
          const answered = open.filter((each) => !each.endsWith(": 403"));
          const paths = answered.map((each) =>
            each
              .replace(/^\S+ /, "")
              .replace(/: \d+$/, "")
              .slice(prefix.length),
          );
          assert.deepEqual(
            paths.filter((path) => !isPublic[name].test(path)),
            [],
            open.join("\n"),
          );
        }
      },
    );
  }
});
