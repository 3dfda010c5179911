import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { forgedHeaders } from "../oauth2-proxy/forged-headers.ts";
import { unsigned } from "../support/oidc/signing-key.ts";
import { assertAccess, assertDocumented, deniedAttempts, type Row, unauthenticatedAttempts } from "./access-table.ts";
import { clientPod } from "./client-pod.ts";
import { everyRoute, openRoutes } from "./every-route.ts";
import { fetchedArtifact, sentArtifact } from "./large-artifact.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { assertUnreachable, bearer, proxyFixture } from "./proxy-fixture.ts";
import {
  apiAudience,
  disableDiscovery,
  enableDiscovery,
  serviceAccount,
  serviceAccountToken,
} from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";

const name = "guarded";

test("oauth2-proxy with SelfSubjectAccessReview", {
  timeout: 1_800_000,
}, async (context) => {
  const fixture = await proxyFixture(context);
  const { issuer, namespace, browserUrl } = fixture;
  await serviceAccount(fixture, "trainer", { mayUse: true });
  await serviceAccount(fixture, "unrelated", { mayUse: false });
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: {
      oauth2Proxy: {
        ...fixture.proxy,
        acceptServiceAccountTokens: { issuer: apiAudience },
        authorization: { kubernetes: {} },
      },
    },
  };
  const allowDiscovery = await disableDiscovery(fixture);
  await fixture.apply({ metadata: { name }, spec });

  await context.test("reports an API server without anonymous access to its keys, with the remedy", async () => {
    const { status } = await fixture.reason(name, "Stalled", "IssuerForbidden", 400);
    const message = status?.conditions?.find(({ type }) => type === "Stalled")?.message ?? "";
    assert.match(message, /acceptServiceAccountTokens.*system:service-account-issuer-discovery/);
  });

  await allowDiscovery();
  context.after(await enableDiscovery(fixture));
  await fixture.ready(name, 600);
  await fixture.forward(name);
  const attempt = await fixture.attempts(name);
  const trainer = await serviceAccountToken(fixture, "trainer");
  const owner = `system:serviceaccount:${namespace}:trainer`;
  const { spec: service } = await fixture.objects.the("Service", name);
  const address = service.clusterIP ?? "";

  await context.test("access test results", async () => {
    const browser = fixture.browser();
    await browser.signIn(`${browserUrl}/`, "alice", "of-alice");
    const session = browser.cookies(browserUrl);
    assert.match(session, new RegExp(`_${namespace}_${name}=`));
    const [, claims = ""] = trainer.split(".");
    const parsed = JSON.parse(Buffer.from(claims, "base64url").toString());
    const [head, , signature] = trainer.split(".");
    const altered = Buffer.from(JSON.stringify({ ...parsed, sub: "system:admin" })).toString("base64url");
    const rows: [string, readonly string[]][] = [
      ["an unsigned token of a ServiceAccount (`alg: none`)", bearer(unsigned(parsed))],
      ["a ServiceAccount's token with another subject", bearer(`${head}.${altered}.${signature}`)],
      ["a ServiceAccount's token of another audience", bearer(await serviceAccountToken(fixture, "trainer", "mlflow"))],
      ["a user of an issuer that the API server does not know", bearer(await issuer.token("alice", "mlflow"))],
      ["the same in a browser, after the login", [`Cookie: ${session}`]],
      ["a ServiceAccount without permissions on MLflow", bearer(await serviceAccountToken(fixture, "unrelated"))],
      ["a ServiceAccount with permissions on MLflow", bearer(trainer)],
    ];
    const attempts: Row[] = [...(await unauthenticatedAttempts(attempt))];
    for (const [who, lines] of rows) {
      const { owner: recorded, ...rest } = await attempt(who, lines);
      attempts.push({ ...rest, owner: recorded.replace(namespace, "&lt;namespace&gt;") });
    }
    assert.equal(attempts.at(-1)?.owner, "system:serviceaccount:&lt;namespace&gt;:trainer");
    attempts.push(...(await deniedAttempts(attempt, "a ServiceAccount with permissions on MLflow", bearer(trainer))));
    await assertDocumented("oauth2Proxy with SelfSubjectAccessReview", attempts);
    assertAccess(attempts, ["a ServiceAccount with permissions on MLflow"]);
  });

  await context.test("no client header authenticates a client or changes its identity", async () => {
    for (const lines of forgedHeaders) {
      const unrelated = await attempt("", lines);
      assert.equal(unrelated.status, 401, `${lines}: ${unrelated.status}`);
      if (lines.some((line) => /^cookie:/i.test(line))) continue;
      const insider = await attempt("", [...lines, ...bearer(trainer)]);
      // If the client removes its own credential, the request is unauthenticated.
      const expected = lines.some((line) => /^connection:.*authorization/i.test(line)) ? [401, ""] : [200, owner];
      assert.deepEqual([insider.status, insider.owner], expected, lines.join());
    }
  });

  await context.test("MLflow's own port is not reachable", () => assertUnreachable(fixture, name));

  await context.test("a pod authenticates with the token of its ServiceAccount and MLflow's client", async () => {
    const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
    const { status } = await fixture.objects.the("MlflowServer", name);
    const client = { name: "client", image, trackingUri: status?.serviceURL ?? "", serviceAccount: "trainer" };
    await fixture.objects.create("Pod", clientPod(client));
    await waitUntil(
      async () => assert.equal((await fixture.objects.the("Pod", "client")).status?.phase, "Running"),
      300,
    );
    const program = await readFile(join(import.meta.dirname, "client.py"), "utf8");
    const output = await fixture.inPod("client", ["python", "-", "by-trainer"], program);
    const back: Record<string, unknown> = JSON.parse(output.trim().split("\n").at(-1) ?? "");
    assert.deepEqual(
      [back["isWhole"], Math.round(Number(back["predicted"])), back["answers"]],
      [true, 5, [{ answer: "it is" }]],
    );
    const mlflow = await fixture.asAnonymous(name);
    const run = await mlflow.call("GET", `/api/2.0/mlflow/runs/get?run_id=${back["runId"]}`, {
      headers: { authorization: `Bearer ${trainer}` },
    });
    assert.match(run.body, new RegExp(`"user_id": *"${owner}"`));
  });

  await context.test("uploads and downloads an artifact of 2 GiB through the proxy", async () => {
    const path = "/api/2.0/mlflow-artifacts/artifacts/0/large.bin";
    const place = { address, path, headers: { authorization: `Bearer ${trainer}` } };
    const sent = await sentArtifact(place, 2048);
    assert.equal(sent.status, 200);
    assert.deepEqual(await fetchedArtifact(place), sent);
  });

  await context.test("every route answers 401 without a credential, and the page redirects to the login", async () => {
    const routes = await everyRoute(fixture, name);
    assert.deepEqual(await openRoutes(address, name, routes), ["GET /: 302"]);
    context.diagnostic(`${routes.length} methods of routes`);
  });

  await context.test(
    "without the proxy the same tokens are valid, and only MLflow's public routes need no credential",
    async () => {
      await fixture.apply({ metadata: { name }, spec: { ...spec, authentication: { kubernetes: {} } } });
      await fixture.ready(name, 600);
      const routes = await everyRoute(fixture, name);
      const open = (await openRoutes(address, name, routes)).map((line) => line.replace(/: \d+$/, ""));
      const isPublic = (line: string) =>
        /^GET \/(health|version|(static-files|build)\/.*)?$/.test(line) ||
        /^GET \/(ajax-)?api\/3\.0\/mlflow\/server-info$/.test(line) ||
        /^(GET|POST) \/ajax-api\/3\.0\/mlflow\/ui-telemetry$/.test(line);
      assert.deepEqual(
        open.filter((line) => !isPublic(line)),
        [],
      );
      for (const lines of forgedHeaders) assert.equal((await attempt("", lines)).status, 401, lines.join());
      const insider = await attempt("", bearer(trainer));
      assert.deepEqual([insider.status, insider.owner], [200, owner]);
      const [head, , signature] = trainer.split(".");
      const altered = Buffer.from(JSON.stringify({ sub: "system:admin" })).toString("base64url");
      assert.equal((await attempt("", bearer(`${head}.${altered}.${signature}`))).status, 401);
      const unrelated = await attempt("", bearer(await serviceAccountToken(fixture, "unrelated")));
      assert.equal(unrelated.status, 403);
    },
  );
});
