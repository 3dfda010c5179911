import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { proxyPort } from "../../src/model/names.ts";
import { tracesRules } from "../../src/resources/mesh/policies.ts";
import { commonRules, disguised, plain } from "../envoy/trace-paths.ts";
import { startWaypoint } from "../envoy/waypoint.ts";
import { forgedHeaders } from "../oauth2-proxy/forged-headers.ts";
import { pathTricks } from "../oauth2-proxy/path-tricks.ts";
import { raw } from "../oauth2-proxy/raw.ts";
import { server } from "../support/fixtures.ts";
import {
  assertAccess,
  assertDocumented,
  claimedOwner,
  deniedAttempts,
  type Row,
  unauthenticatedAttempts,
} from "./access-table.ts";
import { missingChromium, signInByChromium } from "./chromium-login.ts";
import { clientPod } from "./client-pod.ts";
import { assertStored, startCollector, traceIn } from "./collector.ts";
import { everyRoute, openRoutes } from "./every-route.ts";
import { fetchedArtifact, sentArtifact } from "./large-artifact.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { loopbackStatuses } from "./loopback.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { assertUnreachable, bearer, clientSecret, proxyFixture } from "./proxy-fixture.ts";
import { startS3 } from "./s3-server.ts";
import { spanOf } from "./span.ts";
import { waitUntil } from "./wait-until.ts";

const name = "shared";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

test("oauth2-proxy with allAuthenticatedUsers", {
  timeout: 1_800_000,
}, async (context) => {
  const fixture = await proxyFixture(context);
  const { issuer, namespace, browserUrl } = fixture;
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const proxy = { ...fixture.proxy, allowedGroups: ["mlflow"] };
  const spec = {
    version: oldestVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { s3: s3.store },
    authentication: { oauth2Proxy: proxy },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name, 600);
  await fixture.forward(name);
  const attempt = await fixture.attempts(name);
  const { spec: service } = await fixture.objects.the("Service", name);
  const address = service.clusterIP ?? "";
  const alice = await issuer.token("alice", "mlflow");
  const mlflow = await fixture.asAnonymous(name);
  const isIn = async (token = alice) => {
    const { status, body } = await mlflow.call("GET", search, { headers: { authorization: `Bearer ${token}` } });
    assert.ok(status < 500, body);
    return status;
  };

  await context.test("access test results", async () => {
    const browser = fixture.browser();
    const page = await browser.signIn(`${browserUrl}/`, "alice", "of-alice");
    assert.match(page.body, /<title>MLflow<\/title>/);
    const session = `Cookie: ${browser.cookies(browserUrl)}`;
    const others = session.replace(`_${namespace}_${name}=`, `_${namespace}_another=`);
    const cut = session.replace(/\|[^|;]*(;|$)/, "|forged$1");
    const rows: [string, readonly string[]][] = [
      ["an expired token", bearer(await issuer.token("alice", "mlflow", { claims: { exp: 1 } }))],
      ["a token of another audience", bearer(await issuer.token("alice", "another"))],
      [
        "a token of another issuer",
        bearer(await issuer.token("alice", "mlflow", { claims: { iss: "https://elsewhere.test" } })),
      ],
      [
        "a token of the issuer with a trailing slash",
        bearer(await issuer.token("alice", "mlflow", { claims: { iss: `${issuer.url}/` } })),
      ],
      [
        "a token with the signature of another key",
        bearer(await issuer.token("alice", "mlflow", { signedBy: "other-key" })),
      ],
      ["a user's token without a signature", bearer(await issuer.token("alice", "mlflow", { signedBy: "none" }))],
      ["the session of another server", [others]],
      ["a session with a forged signature", [cut]],
      ["a user without the group", bearer(await issuer.token("bob", "mlflow"))],
      ["a user by a token", bearer(alice)],
      ["a program, by its client credentials", bearer(await issuer.clientToken("pipeline", "of-pipeline"))],
      ["a user in a browser, after the login", [session]],
    ];
    const attempts: Row[] = [...(await unauthenticatedAttempts(attempt))];
    for (const [who, lines] of rows) attempts.push(await attempt(who, lines));
    attempts.push(...(await deniedAttempts(attempt, "a user in a browser", [session])));
    await browser.send("GET", `${browserUrl}/oauth2/sign_out`);
    attempts.push(await attempt("the same browser, after signing out", [`Cookie: ${browser.cookies(browserUrl)}`]));
    attempts.push(await attempt("a copy of its cookie, after signing out", [session]));
    await assertDocumented("oauth2Proxy with allAuthenticatedUsers", attempts);
    assertAccess(attempts, [...rows.slice(-3).map(([who]) => who), "a copy of its cookie, after signing out"]);
    assert.ok(attempts.every(({ owner }) => ["", claimedOwner].includes(owner)));
    const pages = attempts.filter(({ body }) => body.includes("page"));
    assert.deepEqual(
      pages.map(({ who }) => who),
      ["a user without the group"],
    );
  });

  await context.test(
    "a real browser is redirected through the login to MLflow's page",
    { skip: missingChromium },
    async () => {
      const { hostname } = new URL(issuer.url);
      const person = { login: "alice", password: "of-alice" };
      const screenshot = process.env["SCREENSHOT"];
      const shown = { text: "Experiments", ...(screenshot !== undefined && { screenshot }) };
      const { url, cookies } = await signInByChromium({ url: `${browserUrl}/`, issuer: hostname, ...person, ...shown });
      assert.ok(url.startsWith(`${browserUrl}/`), url);
      assert.ok(cookies.includes(`_${namespace}_${name}`), cookies.join());
    },
  );

  await context.test("no client header and no path bypasses authentication", async () => {
    for (const lines of forgedHeaders) assert.equal((await attempt("", lines)).status, 401, lines.join());
    const target = "/api/2.0/mlflow/experiments/search";
    for (const path of pathTricks(target)) {
      const answer = await raw(5000, "GET", path, [], { host: address });
      assert.doesNotMatch(answer.body, /experiment/, path);
      assert.ok(answer.status === 301 || answer.status >= 400, `${path}: ${answer.status}`);
      if (answer.status !== 301) continue;
      assert.equal((await raw(5000, "GET", answer.location, [], { host: address })).status, 401, answer.location);
    }
  });

  await context.test(
    "behind an Envoy with the mesh policies, only writers can write traces, with a credential",
    async () => {
      const writer = "cluster.local/ns/agents/sa/otel-collector";
      const unrelated = "cluster.local/ns/evil/sa/otel-collector";
      const traces = { writers: [{ namespace: "agents", serviceAccount: "otel-collector" }] };
      const policies = {
        operator: tracesRules(server({ traces, mesh: { istio: { mode: "Ambient" } } })),
        common: commonRules(writer),
      };
      const waypoint = await startWaypoint(policies, [writer, unrelated], { address, port: 5000 });
      try {
        const authorization = `Bearer ${alice}`;
        const spans = JSON.stringify(spanOf("through the chain"));
        const headers = { "content-type": "application/json", "x-mlflow-experiment-id": "0" };
        const post = (
          identity: string | undefined,
          path: string,
          more: object = { authorization },
          policy = "operator",
        ) => {
          const asked = { identity, method: "POST", path, headers: { ...headers, ...more }, body: spans };
          return waypoint.ask(policy, { protocol: "HTTP/1.1", ...asked });
        };
        assert.equal(await post(writer, "/v1/traces"), 200);
        assert.equal(await post(writer, "/v1/traces", {}), 401, "the identity in the mesh is not sufficient");
        for (const identity of [undefined, unrelated])
          for (const path of [...plain, ...disguised])
            assert.equal(await post(identity, path), 403, `${identity} ${path}`);
        for (const path of disguised) assert.equal(await post(writer, path), 403, path);
        // The policy of common guides: it allows the request as another path, and MLflow decodes it to this one.
        assert.equal(await post(undefined, "/v1%2ftraces", { authorization }, "common"), 200);
        const forged = { "x-forwarded-uri": "/v1/traces", "x-original-url": "/v1/traces" };
        assert.equal(await post(unrelated, "/api/2.0/mlflow/runs/create", forged), 401);
        const asked = { identity: undefined, method: "GET", path: search, headers: { authorization } };
        for (const protocol of ["HTTP/1.1", "HTTP/2"] as const)
          assert.equal(
            await waypoint.ask("operator", { protocol, ...asked }),
            200,
            "other paths are open with a credential",
          );
      } finally {
        await waypoint.close();
      }
    },
  );

  await context.test("oauth2-proxy listens on addresses of both IP families", async () => {
    const [pod] = await fixture.pods(name);
    assert.deepEqual(await loopbackStatuses(fixture, pod?.metadata.name, proxyPort, "/ping"), [200, 200]);
  });

  await context.test("MLflow's own port is not reachable", () => assertUnreachable(fixture, name));

  await context.test(
    "unauthenticated clients get 401 from every route, and the Assistant is 404 for an authenticated user with any client address",
    async () => {
      const routes = await everyRoute(fixture, name);
      assert.deepEqual(await openRoutes(address, name, routes), ["GET /: 302"]);
      const base = "/ajax-api/3.0/mlflow/assistant";
      const assistant = routes
        .filter(({ path }) => path.startsWith(`${base}/`))
        .map(({ method, path }) => ({ method, path: path.replace("/providers/1/", "/providers/claude_code/") }));
      assert.ok(assistant.length > 5, `the Assistant has only ${assistant.length} routes`);
      const local = [
        [],
        ["Connection: close, X-Forwarded-For"],
        ["X-Forwarded-For: 127.0.0.1"],
        ["X-Real-Ip: 127.0.0.1"],
      ];
      for (const { method, path } of assistant)
        for (const lines of local) {
          const answer = await raw(5000, method, path, [...lines, ...bearer(alice)], { host: address, body: "{}" });
          assert.equal(answer.status, 404, `${method} ${path} with ${lines}: ${answer.body}`);
        }
      context.diagnostic(`${routes.length} methods of routes, ${assistant.length} of them the Assistant's`);
    },
  );

  await context.test("MLflow's client authenticates with a token", async () => {
    const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
    const { status } = await fixture.objects.the("MlflowServer", name);
    await fixture.objects.create("Secret", { metadata: { name: "token" }, stringData: { token: alice } });
    const client = { name: "client", image, trackingUri: status?.serviceURL ?? "", tokenSecret: "token" };
    await fixture.objects.create("Pod", clientPod(client));
    await waitUntil(
      async () => assert.equal((await fixture.objects.the("Pod", "client")).status?.phase, "Running"),
      300,
    );
    const program = await readFile(join(import.meta.dirname, "client.py"), "utf8");
    const output = await fixture.inPod("client", ["python", "-", "by-alice"], program);
    const back: Record<string, unknown> = JSON.parse(output.trim().split("\n").at(-1) ?? "");
    assert.deepEqual(
      [back["isWhole"], Math.round(Number(back["predicted"])), back["answers"]],
      [true, 5, [{ answer: "it is" }]],
    );
    await fixture.objects.remove("Pod", "client");
  });

  await context.test(
    "a collector writes traces with its client credentials, if the proxy accepts that client",
    async () => {
      const as = (id: string) => ({
        args: ["--token-url", `${issuer.url}/token`],
        credential: { "client-id": id, "client-secret": `of-${id}` },
      });
      const reader = { authorization: `Bearer ${alice}` };
      const collector = await startCollector(fixture, name, as("pipeline"));
      await assertStored(mlflow, await collector.send(), reader);
      const unrelated = await startCollector(fixture, name, as("unrelated"));
      const trace = await unrelated.send();
      await unrelated.rejected(403);
      assert.equal((await traceIn(mlflow, trace, reader)).status, 404);
    },
  );

  await context.test("allows writes from pages of the server's origin, and denies other origins", async () => {
    const body = { name: "by a page" };
    const write = (origin: string) =>
      mlflow.call("POST", "/api/2.0/mlflow/experiments/create", {
        body,
        headers: { origin, authorization: `Bearer ${alice}` },
      });
    assert.equal((await write("https://evil.example.com")).status, 403);
    assert.equal((await write(browserUrl)).status, 200);
  });

  await context.test("uploads and downloads an artifact of 200 MiB through the proxy", async () => {
    const path = "/api/2.0/mlflow-artifacts/artifacts/0/large.bin";
    const place = { address, path, headers: { authorization: `Bearer ${alice}` } };
    const sent = await sentArtifact(place, 200);
    assert.equal(sent.status, 200);
    assert.deepEqual(await fetchedArtifact(place), sent);
  });

  await context.test("rotated keys of the issuer are accepted, and the previous ones rejected", async () => {
    await issuer.rotateKeys(false);
    assert.equal(await isIn(await issuer.token("alice", "mlflow")), 200);
    assert.equal(await isIn(alice), 401);
  });

  const stays = async () => {
    assert.equal(await isIn(await issuer.token("alice", "mlflow")), 200);
    return (await fixture.pods(name)).filter(isReady).map(({ metadata }) => metadata.uid);
  };

  await context.test("reports an issuer with another name, and running pods continue", async () => {
    const before = await stays();
    await fixture.apply({
      metadata: { name },
      spec: { ...spec, authentication: { oauth2Proxy: { ...proxy, issuerURL: `${issuer.url}/` } } },
    });
    const { status } = await fixture.reason(name, "Stalled", "IssuerMismatch");
    const message = status?.conditions?.find(({ type }) => type === "Stalled")?.message ?? "";
    assert.ok(message.includes(`has the issuer ${issuer.url}.`), message);
    assert.deepEqual(await stays(), before);
    await fixture.apply({ metadata: { name }, spec });
    await fixture.ready(name, 600);
  });

  await context.test("reports a client secret with a line break; a new secret needs no new pods", async () => {
    const before = await stays();
    await fixture.objects.patch("Secret", "client", { stringData: { secret: `${clientSecret}\n` } });
    await fixture.reason(name, "Stalled", "InvalidSecret");
    await fixture.objects.patch("Secret", "client", { stringData: { secret: "another-one" } });
    await fixture.ready(name);
    assert.deepEqual(await stays(), before);
    await fixture.objects.patch("Secret", "client", { stringData: { secret: clientSecret } });
  });

  await context.test("while the issuer is unavailable, tokens with cached keys are accepted", async () => {
    await stays();
    const token = await issuer.token("alice", "mlflow");
    await issuer.suspend();
    try {
      assert.equal(await isIn(token), 200);
      await fixture.apply({
        metadata: { name },
        spec: { ...spec, authentication: { oauth2Proxy: { ...proxy, session: { refresh: "10m" } } } },
      });
      await fixture.reason(name, "Stalled", "IssuerUnreachable");
      assert.equal(await isIn(token), 200);
    } finally {
      await issuer.resume();
    }
    await fixture.ready(name, 600);
  });

  await context.test("the newest version authenticates the same users as the oldest, and no others", async () => {
    await fixture.apply({ metadata: { name }, spec: { ...spec, version: testedVersion } });
    await fixture.ready(name, 600);
    // A terminating pod can still get requests, and on its first request fails on the newer schema (500).
    await waitUntil(async () => assert.equal(await isIn(await issuer.token("alice", "mlflow")), 200), 60);
    assert.equal(await isIn(await issuer.token("bob", "mlflow")), 403);
    assertAccess(await unauthenticatedAttempts(attempt), []);
  });
});

function isReady({ status }: { status?: { conditions?: { type: string; status: string }[] } }): boolean {
  return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
