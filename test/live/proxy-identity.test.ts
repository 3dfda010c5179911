import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { label } from "../../src/kube/names.ts";
import { serviceUrl } from "../../src/model/names.ts";
import { installGateway } from "../cluster/gateway/install-gateway.ts";
import { forgedHeaders } from "../oauth2-proxy/forged-headers.ts";
import { unsigned } from "../support/oidc/signing-key.ts";
import { webSession } from "../support/oidc/web-session.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { assertAccess, assertDocumented, deniedAttempts, type Row, unauthenticatedAttempts } from "./access-table.ts";
import { assertStored, startCollector } from "./collector.ts";
import { assertDocumentedClients } from "./documented-clients.ts";
import { everyRoute, openRoutes } from "./every-route.ts";
import { testedVersion } from "./live-cluster.ts";
import { assertUnreachable, bearer, proxyFixture } from "./proxy-fixture.ts";
import { apiAudience, enableDiscovery, grant, serviceAccount, serviceAccountToken } from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";

const name = "verified";
const rbacGroup = "rbac.authorization.k8s.io" as const;
const user = (name: string) => ({ kind: "User" as const, apiGroup: rbacGroup, name });
const group = (name: string) => ({ kind: "Group" as const, apiGroup: rbacGroup, name });

/** Sends requests to MLflow's port in its pod, bypassing the proxy, as `kubectl port-forward` can. */
const pastTheProxy = `
import json, sys, urllib.error, urllib.request
for headers in json.load(sys.stdin):
    request = urllib.request.Request("http://127.0.0.1:5000/api/2.0/mlflow/experiments/search?max_results=1", headers=headers)
    try:
        print(urllib.request.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(error.code)
`;

test("oauth2-proxy with SubjectAccessReview", {
  timeout: 1_800_000,
}, async (context) => {
  const fixture = await proxyFixture(context, { isWide: true });
  const { issuer, namespace, browserUrl, cluster } = fixture;
  const optIn = (of: string) =>
    fixture.objects.patch("Namespace", of, { metadata: { labels: { [label.workspaceOf]: namespace } } });
  const closeDiscovery = await enableDiscovery(fixture);
  context.after(closeDiscovery);
  await serviceAccount(fixture, "trainer", { mayUse: true });
  await serviceAccount(fixture, "unrelated", { mayUse: false });
  await grant(fixture, "people", [user("alice@example.com"), group("others"), group("odd, but one|group")]);
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: {
      oauth2Proxy: {
        ...fixture.proxy,
        acceptServiceAccountTokens: { issuer: apiAudience, audience: "mlflow" },
        authorization: { kubernetes: { accessReview: "SubjectAccessReview", usernameClaim: "email" } },
      },
    },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.reason(name, "Stalled", "WorkspaceOptInMissing");
  await optIn(namespace);
  await fixture.ready(name, 600);
  await fixture.forward(name);
  const attempt = await fixture.attempts(name);
  const token = (claims: Record<string, unknown> = {}, login = "alice") => issuer.token(login, "mlflow", { claims });
  const trainer = await serviceAccountToken(fixture, "trainer", "mlflow");
  const now = Math.floor(Date.now() / 1000);
  const { spec: service } = await fixture.objects.the("Service", name);

  await context.test("access test results", async () => {
    const browser = fixture.browser();
    await browser.signIn(`${browserUrl}/`, "alice", "of-alice");
    const asTrainer = `system:serviceaccount:${namespace}:trainer`;
    const rows: [string, readonly string[], number][] = [
      [
        "a user's token without a signature",
        bearer(
          unsigned({
            iss: issuer.url,
            aud: "mlflow",
            sub: "alice",
            email: "alice@example.com",
            iat: now,
            exp: now + 60,
          }),
        ),
        401,
      ],
      [
        "a token with the signature of another key",
        bearer(await issuer.token("alice", "mlflow", { signedBy: "other-key" })),
        401,
      ],
      ["an expired token", bearer(await token({ exp: now - 5 })), 401],
      ["a token for another client", bearer(await issuer.token("alice", "other")), 401],
      ["a user with a RoleBinding", bearer(await token()), 200],
      ["the same in a browser, after the login", [`Cookie: ${browser.cookies(browserUrl)}`], 200],
      [
        "the same token as a password",
        [`Authorization: Basic ${Buffer.from(`${await token()}:`).toString("base64")}`],
        200,
      ],
      ["a member of a group with a RoleBinding", bearer(await token({}, "bob")), 200],
      ["a user without a RoleBinding", bearer(await token({ email: "carol@example.com", groups: ["mlflow"] })), 403],
      [
        "a member of a group `evil,others`",
        bearer(await token({ email: "carol@example.com", groups: ["evil,others"] })),
        403,
      ],
      [
        "the same with a bar instead of the comma",
        bearer(await token({ email: "carol@example.com", groups: ["evil|others"] })),
        403,
      ],
      [
        "a member of a group `evil,system:masters`",
        bearer(await token({ email: "carol@example.com", groups: ["evil,system:masters"] })),
        403,
      ],
      [
        "a member of a group with a comma that has a RoleBinding",
        bearer(await token({ email: "carol@example.com", groups: ["odd, but one|group"] })),
        200,
      ],
      [
        "a member of the group `system:masters` of the issuer",
        bearer(await token({ groups: ["system:masters"] })),
        401,
      ],
      ["the same with a space before it", bearer(await token({ groups: [" system:masters"] })), 401],
      ["a user with the name of a ServiceAccount", bearer(await token({ email: asTrainer })), 401],
      ["a user with the name `system:admin`", bearer(await token({ email: "system:admin" })), 401],
      ["a user with the name `kubernetes-admin`", bearer(await token({ email: "kubernetes-admin" })), 401],
      [
        "a member of a group `kubeadm:cluster-admins`",
        bearer(await token({ groups: ["kubeadm:cluster-admins"] })),
        401,
      ],
      ["a user whose name ends in a line break", bearer(await token({ email: "alice@example.com\n" })), 401],
      ["a token without a user name", bearer(await token({ email: undefined })), 401],
      ["a user with an e-mail address that is not verified", bearer(await token({ email_verified: false })), 401],
      ["a token without `email_verified`", bearer(await token({ email_verified: undefined })), 401],
      ["a ServiceAccount with a RoleBinding", bearer(trainer), 200],
      [
        "a ServiceAccount without a RoleBinding",
        bearer(await serviceAccountToken(fixture, "unrelated", "mlflow")),
        403,
      ],
      ["a ServiceAccount's token of another audience", bearer(await serviceAccountToken(fixture, "trainer")), 401],
    ];
    const found: Row[] = [];
    const wrong: string[] = [];
    for (const [who, lines, expected] of rows) {
      const each = await attempt(who, lines);
      found.push({ ...each, owner: each.owner.replace(namespace, "&lt;namespace&gt;") });
      if (each.status !== expected) wrong.push(`${who}: ${each.status} and not ${expected}`);
    }
    assert.deepEqual(wrong, []);
    const closed = await deniedAttempts(attempt, "a ServiceAccount with a RoleBinding", bearer(trainer));
    const table = [...(await unauthenticatedAttempts(attempt)), ...found, ...closed];
    assertAccess(
      table,
      rows.flatMap(([who, , expected]) => (expected === 200 ? [who] : [])),
    );
    await assertDocumented("oauth2Proxy with SubjectAccessReview", table);
    const ownerOf = (who: string) => table.find((each) => each.who === who)?.owner;
    assert.equal(ownerOf("a user with a RoleBinding"), "alice@example.com");
    assert.equal(ownerOf("the same in a browser, after the login"), "alice@example.com");
    assert.equal(ownerOf("a ServiceAccount with a RoleBinding"), "system:serviceaccount:&lt;namespace&gt;:trainer");
  });

  await context.test("the Python tests of token identities in MLflow's image", async () => {
    const [pod] = await fixture.pods(name);
    const python = ["env", "PYTHONPATH=/etc/mlflow/python", "sh", "-c", "python -B -W ignore - 2>&1"];
    for (const file of ["test_token_identity.py", "test_kubernetes_identity.py", "test_access_reviews.py"]) {
      const path = join(import.meta.dirname, "../../python/tests/middleware", file);
      const output = await fixture.inPod(pod?.metadata.name ?? "", python, await readFile(path, "utf8"));
      assert.match(output, /^Ran [1-9][0-9]* tests? in [\s\S]*^OK$/m);
    }
  });

  await context.test("a ServiceAccount is in the groups of its namespace, as at the API server", async () => {
    await grant(fixture, "all-of-here", [group(`system:serviceaccounts:${namespace}`)]);
    const unrelated = await serviceAccountToken(fixture, "unrelated", "mlflow");
    // The plugin caches denials for a minute, by request: this one is not cached.
    const answer = await fixture.asAnonymous(name);
    const headers = { authorization: `Bearer ${unrelated}` };
    const { status } = await answer.call("GET", "/api/2.0/mlflow/registered-models/search", { headers });
    assert.equal(status, 200);
  });

  await context.test(
    "a collector writes traces with its projected token, or as the user in a client's token",
    async () => {
      const mlflow = await fixture.asAnonymous(name);
      const reader = { authorization: `Bearer ${trainer}` };
      const byItsToken = await startCollector(fixture, name);
      await assertStored(mlflow, await byItsToken.send(), reader);
      const server = await fixture.objects.the("MlflowServer", name);
      const byTheIssuer = await startCollector(fixture, name, {
        manifest: JSON.stringify({
          ...server,
          spec: {
            ...spec,
            authentication: {
              oauth2Proxy: {
                ...fixture.proxy,
                authorization: { kubernetes: { accessReview: "SubjectAccessReview", usernameClaim: "email" } },
              },
            },
          },
        }),
        args: ["--token-url", `${issuer.url}/token`, "--user", "pipeline@example.com"],
        credential: { "client-id": "pipeline", "client-secret": "of-pipeline" },
      });
      await assertStored(mlflow, await byTheIssuer.send(), reader);
    },
  );

  await context.test("no client header authenticates a client or changes its identity", async () => {
    const alice = await token();
    for (const lines of forgedHeaders) {
      const unrelated = await attempt("", lines);
      assert.equal(unrelated.status, 401, `${lines}: ${unrelated.status}`);
      if (lines.some((line) => /^cookie:/i.test(line))) continue;
      const insider = await attempt("", [...lines, ...bearer(alice)]);
      // If the client removes its own credential, the request is unauthenticated.
      const isAway = lines.some((line) => /^connection:.*authorization/i.test(line));
      assert.deepEqual([insider.status, insider.owner], isAway ? [401, ""] : [200, "alice@example.com"], lines.join());
    }
    const carol = await token({ email: "carol@example.com", groups: [] });
    for (const lines of forgedHeaders) {
      const { status } = await attempt("", [...lines, ...bearer(carol)]);
      assert.ok([401, 403].includes(status), `${lines}: ${status}`);
    }
    const twice = await attempt("", [...bearer(carol), ...bearer(alice)]);
    assert.ok(twice.owner === "" && twice.status !== 200, JSON.stringify(twice));
  });

  await context.test("requests that bypass the proxy also need a token signed by the issuer", async () => {
    await assertUnreachable(fixture, name);
    const [pod] = await fixture.pods(name);
    const claims = {
      iss: issuer.url,
      aud: "mlflow",
      sub: "alice",
      email: "alice@example.com",
      iat: now,
      exp: now + 600,
    };
    const forged = [
      {},
      { "X-Remote-User": "alice@example.com" },
      { "X-Unused": "alice@example.com" },
      { x_unused: "alice@example.com" },
      { "X-Forwarded-Access-Token": await token() },
      { Authorization: `Bearer ${unsigned(claims)}` },
      { Authorization: `Bearer ${await issuer.token("alice", "mlflow", { signedBy: "other-key" })}` },
      { Authorization: `Bearer ${await issuer.token("alice", "other")}` },
      { Authorization: `Bearer ${await token({ iat: now - 7200, exp: now - 3600 })}` },
      { Authorization: `Bearer ${await token({ iat: now - 60, exp: now - 1 })}` },
    ];
    const output = await fixture.inPod(
      pod?.metadata.name ?? "",
      ["python", "-c", pastTheProxy],
      JSON.stringify([...forged, { Authorization: `Bearer ${await token()}` }]),
    );
    assert.deepEqual(output.trim().split("\n").map(Number), [...forged.map(() => 401), 200]);
  });

  await context.test("every route answers 401 without a credential, and the page redirects to the login", async () => {
    const routes = await everyRoute(fixture, name);
    assert.deepEqual(await openRoutes(service.clusterIP ?? "", name, routes), ["GET /: 302"]);
  });

  await context.test(
    "with workspaces, each namespace authorizes the same names with its own RoleBindings",
    async (own) => {
      const [team, other, unrelated] = [
        await freshNamespace(cluster),
        await freshNamespace(cluster),
        await freshNamespace(cluster),
      ];
      context.after(async () => {
        for (const each of [team, other, unrelated]) await cluster.request("DELETE", `/api/v1/namespaces/${each}`);
      });
      for (const each of [team, other]) await optIn(each);
      for (const each of [team, unrelated]) await grant(fixture, "alice", [user("alice@example.com")], each);
      await grant(fixture, "others", [group("others")], other);
      const gateway = await installGateway(cluster, () => {});
      const externalURL = `https://${gateway.host}${fixture.prefix}`;
      const parentRefs = [{ name: gateway.name, namespace: gateway.namespace }];
      const { redirectURL: _, ...ofFixture } = fixture.proxy;
      const { acceptServiceAccountTokens, authorization } = spec.authentication.oauth2Proxy;
      const authentication = { oauth2Proxy: { ...ofFixture, acceptServiceAccountTokens, authorization } };
      const exposure = { externalURL, httpRoute: { parentRefs } };
      await fixture.apply({
        metadata: { name },
        spec: { ...spec, authentication, workspaces: { default: team }, exposure },
      });
      const server = await fixture.ready(name, 600);
      const mlflow = await fixture.asAnonymous(name);
      const search = async (login: string, workspace?: string, claims = {}) => {
        const headers = {
          authorization: `Bearer ${await token(claims, login)}`,
          ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
        };
        const body = { name: `of-${login}-${Math.random()}` };
        return (await mlflow.call("POST", "/api/2.0/mlflow/experiments/create", { headers, body })).status;
      };
      assert.equal(await search("alice", team), 200);
      assert.equal(await search("alice"), 200, "the default workspace");
      assert.equal(await search("alice", other), 403);
      assert.equal(await search("bob", other), 200);
      assert.equal(await search("bob", team), 403);
      assert.equal(await search("bob", other, { groups: ["evil,others"] }), 403);
      assert.equal(await search("alice", unrelated), 404, "the namespace has not opted in");

      const outside = webSession({ ca: gateway.ca, addresses: { [gateway.host]: gateway.address } });
      await waitUntil(async () => {
        const { status, body } = await outside.send("GET", `${externalURL}/health`);
        assert.ok([200, 401].includes(status), `${status} ${body}`);
      }, 120);
      const urls = { serviceUrl: serviceUrl(server), externalURL };
      await assertDocumentedClients(own, fixture, { ...urls, gateway, team, other, foreign: unrelated });
    },
  );
});
