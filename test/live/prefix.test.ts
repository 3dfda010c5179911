import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { JWTPayload } from "jose";
import { raw } from "../oauth2-proxy/raw.ts";
import { redirectOfScript } from "../support/page-script.ts";
import { missingChromium, signInByChromium } from "./chromium-login.ts";
import { clientPod } from "./client-pod.ts";
import { everyRoute, openRoutes } from "./every-route.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { addressOf } from "./live-fixture.ts";
import { gatewayModes, prefixRoute } from "./prefix-route.ts";
import { assertUnreachable, bearer, proxyFixture } from "./proxy-fixture.ts";
import { spanOf } from "./span.ts";
import { waitUntil } from "./wait-until.ts";

const name = "prefixed";
const create = "/ajax-api/2.0/mlflow/experiments/create";

test("with and without a path prefix, behind oauth2-proxy", {
  timeout: 1_800_000,
}, async (context) => {
  const fixture = await proxyFixture(context);
  const { issuer, namespace, browserUrl, prefix } = fixture;
  const { redirectURL: _, ...proxy } = fixture.proxy;
  const externalURL = `${browserUrl}${prefix}`;
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { oauth2Proxy: proxy },
    exposure: { externalURL },
  };
  await fixture.apply({ metadata: { name }, spec });
  const [image, gateway] = await Promise.all([
    imageReference(fixture.cluster, `mlflow-server:${testedVersion}`),
    prefixRoute(fixture, name, prefix, async (parent) => {
      const parentRefs = [{ name: parent?.name ?? "", namespace: parent?.namespace ?? "" }];
      const httpRoute = { parentRefs, hostnames: [new URL(browserUrl).hostname, parent?.host ?? ""] };
      const exposure = { externalURL, ...(parent !== undefined && { httpRoute }) };
      await fixture.apply({ metadata: { name }, spec: { ...spec, exposure } });
      await fixture.ready(name);
      if (parent !== undefined) await fixture.reason(name, "Exposed", "Exposed");
    }),
  ]);
  const { status } = await fixture.ready(name);
  const address = await addressOf(fixture.objects, name);
  await fixture.forward(name, { address: gateway.address, port: 80 });
  const alice = await issuer.token("alice", "mlflow");
  await fixture.objects.create("Secret", { metadata: { name: "token" }, stringData: { token: alice } });
  const client = { name: "client", image, trackingUri: status?.serviceURL ?? "", tokenSecret: "token" };
  await fixture.objects.create("Pod", clientPod(client));
  await waitUntil(async () => assert.equal((await fixture.objects.the("Pod", "client")).status?.phase, "Running"), 300);
  /** Runs client.py: runs, artifacts, models, traces with MLflow's client. */
  const works = async (trackingUri: string, experiment: string) => {
    const program = await readFile(join(import.meta.dirname, "client.py"), "utf8");
    const command = ["env", `MLFLOW_TRACKING_URI=${trackingUri}`, "python", "-", experiment];
    const output = await fixture.inPod("client", command, program);
    const back: Record<string, unknown> = JSON.parse(output.trim().split("\n").at(-1) ?? "");
    assert.deepEqual(
      [back["isWhole"], Math.round(Number(back["predicted"])), back["answers"]],
      [true, 5, [{ answer: "it is" }]],
    );
  };

  /** Returns the result of MLflow's client in each of these environments. */
  const clientErrors = async (trackingUri: string, environments: Readonly<Record<string, Record<string, string>>>) => {
    const program = await readFile(join(import.meta.dirname, "client-errors.py"), "utf8");
    const unset = ["env", "-u", "MLFLOW_TRACKING_TOKEN", `MLFLOW_TRACKING_URI=${trackingUri}`];
    const output = await fixture.inPod("client", [...unset, "python", "-", JSON.stringify(environments)], program);
    const found: Record<string, string> = JSON.parse(output.trim().split("\n").at(-1) ?? "");
    return found;
  };

  await context.test("the error for an invalid token is about the token, not about pages or certificates", async () => {
    const token = async (claims: JWTPayload) => ({
      MLFLOW_TRACKING_TOKEN: await issuer.token("alice", "mlflow", { claims }),
    });
    const errors = await clientErrors(status?.serviceURL ?? "", {
      "a good token": { MLFLOW_TRACKING_TOKEN: alice },
      nothing: {},
      "an invalid token": { MLFLOW_TRACKING_TOKEN: "x" },
      "an expired token": await token({ exp: 1 }),
      "a token of another audience": await token({ aud: "another" }),
      "a token with a line break": { MLFLOW_TRACKING_TOKEN: `${alice}\n` },
    });
    const { "a good token": good, "a token with a line break": broken, ...rejected } = errors;
    assert.equal(good, "in");
    assert.match(
      broken ?? "",
      /Invalid (leading whitespace, reserved character\(s\), or return )?character\(s\) in header value/,
    );
    for (const [title, words] of Object.entries(rejected))
      assert.match(words, /^RestException: INTERNAL_ERROR: Response: \{\}/, title);
  });

  await context.test("the status contains both URLs", () => {
    assert.equal(status?.serviceURL, `http://${name}.${namespace}:5000`);
    assert.equal(status?.externalURL, externalURL);
  });

  await context.test("MLflow's client in the cluster needs no prefix", async () => {
    await works(status?.serviceURL ?? "", "inside");
  });

  for (const mode of gatewayModes) {
    await context.test(`a gateway that ${mode} the prefix`, async (gatewayContext) => {
      await gateway.use(mode);

      if (mode === "passes") {
        await gatewayContext.test("the route is the operator's", async () => {
          await waitUntil(async () => {
            const routes = await fixture.objects.list("HTTPRoute");
            assert.deepEqual(
              routes.map(({ metadata }) => metadata.name),
              [name],
            );
          }, 60);
        });
      }

      await gatewayContext.test("MLflow's client works with the external URL", async () => {
        await works(`http://${gateway.host}${prefix}`, `outside-${mode}`);
      });

      await gatewayContext.test("the proxy's own paths are available", async () => {
        const to = { host: gateway.address, name: "localhost" };
        const first = await raw(80, "GET", `${prefix}/oauth2/userinfo`, bearer(alice), to);
        assert.equal(first.status, mode === "passes" ? 200 : 307, first.body);
        const { pathname } = new URL(first.location || "userinfo", `${externalURL}/oauth2/userinfo`);
        assert.match((await raw(80, "GET", pathname, bearer(alice), to)).body, /alice@example\.com/);
      });

      await gatewayContext.test(
        "a script gets a session cookie, and MLflow's client authenticates with it",
        async () => {
          const web = fixture.browser();
          const proxy = mode === "passes" ? externalURL : `${externalURL}${prefix}`;
          const back = encodeURIComponent(`${prefix}/`);
          const page = await web.signIn(`${proxy}/oauth2/start?rd=${back}`, "alice", "of-alice");
          // After the issuer's redirect, the script of the page adds the prefix that the gateway has stripped.
          if (mode === "strips") await web.open(redirectOfScript(page.body, page.url.href));
          const session = web.cookies(browserUrl);
          const errors = await clientErrors(`http://${gateway.host}${prefix}`, {
            "the session": { COOKIE: session },
            "a forged session": { COOKIE: session.replace(/\|[^|;]*(;|$)/g, "|forged$1") },
          });
          assert.equal(errors["the session"], "in");
          assert.match(errors["a forged session"] ?? "", /^RestException: INTERNAL_ERROR: Response: \{\}/);
        },
      );

      await gatewayContext.test("traces by OTLP reach their experiment", async () => {
        const lines = [...bearer(alice), "x-mlflow-experiment-id: 0"];
        const to = { host: gateway.address, name: "localhost", body: JSON.stringify(spanOf(`by-${mode}`)) };
        const answer = await raw(80, "POST", `${prefix}/v1/traces`, lines, to);
        assert.equal(answer.status, 200, answer.body);
        assert.equal((await raw(80, "POST", `${prefix}/v1/traces`, lines.slice(1), to)).status, 401);
      });

      await gatewayContext.test(
        "allows writes from pages of the external origin, and denies other origins",
        async () => {
          const write = (origin: string) => {
            const body = JSON.stringify({ name: `by a page ${mode} ${origin}` });
            const to = { host: gateway.address, name: "localhost", body };
            return raw(80, "POST", `${prefix}${create}`, [...bearer(alice), `Origin: ${origin}`], to);
          };
          assert.equal((await write("https://evil.example.com")).status, 403);
          assert.equal((await write(browserUrl)).status, 200);
        },
      );

      await gatewayContext.test("a real browser signs in and sees MLflow", { skip: missingChromium }, async () => {
        const login = { issuer: new URL(issuer.url).hostname, login: "alice", password: "of-alice" };
        // The page shows the experiment only if its own requests, below the prefix, succeed.
        for (const start of [`${externalURL}/`, `${externalURL}/#/experiments`]) {
          const { url, cookies } = await signInByChromium({ url: start, ...login, text: `outside-${mode}` });
          assert.ok(url.startsWith(start), url);
          assert.ok(cookies.includes(`_${namespace}_${name}`), cookies.join());
        }
      });
    });
  }

  const sweep = async (pages: readonly string[]) => {
    const routes = await everyRoute(fixture, name);
    for (const path of ["", prefix])
      assert.deepEqual(
        await openRoutes(address, name, routes, path),
        pages.map((page) => `GET ${path}${page}`),
      );
    return routes;
  };

  await context.test("every route answers 401 without a credential, with and without the prefix", async () => {
    // Only the page that redirects to the login.
    const routes = await sweep(["/: 403"]);
    context.diagnostic(`${routes.length} methods of routes, each with and without the prefix`);
    await assertUnreachable(fixture, name);
  });

  await context.test("the Python tests of the middleware in MLflow's image", async () => {
    const [pod] = await fixture.pods(name);
    assert.ok(pod !== undefined);
    const program = await readFile(join(import.meta.dirname, "../../python/tests/middleware/test_prefix.py"), "utf8");
    const run = ["sh", "-c", "python -B - 2>&1"];
    assert.match(await fixture.inPod(pod.metadata.name, run, program), /^Ran [1-9][0-9]* tests[\s\S]*^OK$/m);
  });

  await context.test("the same with Kubernetes authorization", async () => {
    await fixture.apply({
      metadata: { name },
      spec: { ...spec, authentication: { oauth2Proxy: { ...proxy, authorization: { kubernetes: {} } } } },
    });
    await fixture.ready(name);
    await sweep(["/: 403"]);
    // The proxy accepts the issuer's token, and the API server rejects it, because it does not trust the issuer.
    for (const path of ["", prefix, `${prefix}/`, `/${prefix}`]) {
      const { status } = await raw(5000, "POST", `${path}${create}`, bearer(alice), {
        host: address,
        name,
        body: "{}",
      });
      assert.ok([301, 401].includes(status), `${path}: ${status}`);
    }
  });
});
