import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { port, serviceUrl } from "../../src/model/names.ts";
import { clientToken } from "../support/oidc/client-token.ts";
import { startOidcIssuer, type TokenForm } from "../support/oidc/oidc-issuer.ts";
import { webSession } from "../support/oidc/web-session.ts";
import {
  assertAccess,
  assertDocumented,
  attemptsAt,
  basicLine,
  claimedOwner,
  deniedAttempts,
  type Row,
  unauthenticatedAttempts,
} from "./access-table.ts";
import { assertStored, startCollector, traceIn } from "./collector.ts";
import { documentedCells } from "./documented-cells.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { addressOf, liveFixture } from "./live-fixture.ts";
import type { Mlflow, MlflowAnswer } from "./mlflow.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { bearer } from "./proxy-fixture.ts";
import { startClient } from "./running-client.ts";
import { startS3 } from "./s3-server.ts";
import { serviceAccountToken } from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";

const name = "issued";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";
const users = "/api/2.0/mlflow/users";
const me = `${users}/current`;
const people = [
  { login: "ada", password: "of-ada-1234567", groups: ["mlflow-admin"] },
  { login: "bob", password: "of-bob-1234567", groups: ["mlflow"] },
  { login: "tom", password: "of-tom-1234567", groups: ["mlflow"] },
  { login: "eve", password: "of-eve-1234567", groups: ["mlflow,mlflow-admin", "others"] },
];

/** Invalid tokens, by their difference from a valid token of bob, who is in the group. */
const wrongTokens: Readonly<Record<string, TokenForm>> = {
  "for another audience": { claims: { aud: "another" } },
  "without an audience": { claims: { aud: undefined } },
  "of another issuer": { claims: { iss: "https://id.example.com" } },
  "of the issuer with a trailing slash": { claims: { iss: "slash" } },
  "that has expired": { claims: { exp: Math.floor(Date.now() / 1000) - 3600 } },
  "without a signature": { signedBy: "none" },
  "with the signature of another key": { signedBy: "other-key" },
  "without a user name": { claims: { sub: undefined } },
  "of another sub with the name in upper case": { claims: { sub: "BOB" } },
};

/** Identity headers of a proxy, which this server does not have. */
const forged: readonly Record<string, string>[] = [
  { "x-forwarded-user": "ada", "x-forwarded-groups": "mlflow-admin", "x-forwarded-email": "ada@example.com" },
  { "x-remote-user": "ada", "x-remote-groups": "mlflow-admin" },
  { "x-auth-request-user": "ada", "x-forwarded-for": "127.0.0.1", "x-forwarded-prefix": "/health" },
  { "x-forwarded-prefix": "/static-files", "x-script-name": "/health", "x-original-url": "/health" },
];

test("OpenID Connect authentication", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const url = `http://${name}.${fixture.namespace}:${port}`;
  const issuer = await startOidcIssuer({
    address: fixture.cluster.hostAddress,
    clients: [
      { id: "mlflow", secret: "of-the-client-12345", redirectUris: [`${url}/callback`] },
      { id: "pipeline", secret: "of-the-pipeline-12345", groups: ["mlflow"], audience: "mlflow" },
      { id: "unrelated", secret: "of-the-unrelated-12345", groups: ["others"], audience: "mlflow" },
    ],
    people,
  });
  context.after(() => issuer.close());
  await fixture.objects.create("ConfigMap", { metadata: { name: "issuer-ca" }, data: { "ca.crt": issuer.ca } });
  await fixture.objects.create("Secret", { metadata: { name: "oidc" }, stringData: { secret: "of-the-client-12345" } });
  const apply = (change: object = {}, version: string = oldestVersion) =>
    fixture.apply({
      metadata: { name },
      spec: {
        version,
        replicas: 2,
        backendStore: { postgresql: postgresql.database("mlflow") },
        artifactStore: { s3: s3.store },
        // To a group without members: the pods have the programs of the grants, and the access tables are the same as without.
        access: [{ permission: "READ", subjects: [{ kind: "Group", name: "no-group" }], experiments: ["granted/*"] }],
        authentication: {
          oidc: {
            discoveryURL: `${issuer.url}/.well-known/openid-configuration`,
            clientID: "mlflow",
            clientSecretRef: { name: "oidc", key: "secret" },
            scopes: ["openid", "email", "profile", "groups"],
            // Tokens of clients from this issuer have no preferred_username.
            usernameClaim: "sub",
            userGroup: "mlflow",
            adminGroup: "mlflow-admin",
            ca: { configMapRef: { name: "issuer-ca" } },
            ...change,
          },
        },
      },
    });
  await apply();
  const server = await fixture.ready(name);
  const anonymous = await fixture.asAnonymous(name);
  const asked = (token: string, path = search, at = anonymous) =>
    at.call("GET", path, { headers: { authorization: `Bearer ${token}` } });
  /** Waits until each pod accepts the token: each caches keys for a minute, and permissions for half a minute. */
  const allPodsAccept = async (addresses: readonly string[], token: string, path = search) => {
    for (const address of addresses)
      await waitUntil(async () => {
        const { status, body } = await asked(token, path, anonymous.as({ address }));
        assert.equal(status, 200, `${address}: ${body}`);
      }, 120);
  };

  await context.test("two replicas share one database with the experiments, without restarts", async () => {
    assert.equal(server.status?.authentication, "OIDC");
    const pods = await fixture.pods(name);
    assert.deepEqual(
      pods.map(({ status }) => status?.containerStatuses?.[0]?.restartCount),
      [0, 0],
    );
    const tables =
      "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('alembic_version', 'alembic_version_oidc');";
    assert.equal(await postgresql.sql("mlflow", tables), "2\n");
  });

  await context.test("answers 401 in JSON without a credential on every kind of route, with any headers", async () => {
    for (const [method, path] of [
      ["GET", search],
      ["POST", "/v1/traces"],
      ["GET", "/version"],
      ["POST", "/graphql"],
    ] as const)
      for (const headers of [{}, ...forged]) assertUnauthenticated(await anonymous.call(method, path, { headers }));
    const basic = [
      ["admin", "password1234"],
      ["admin", "password"],
      ["ada", ""],
    ].map(([username = "", password = ""]) => ({ username, password }));
    for (const login of basic) assertUnauthenticated(await anonymous.as({ login }).call("GET", search));
  });

  await context.test(
    "a token of a group member authenticates, and does not make the user an administrator",
    async () => {
      assert.deepEqual(await who(anonymous, await issuer.token("bob", "mlflow")), ["bob", false]);
      assert.deepEqual(await who(anonymous, await issuer.token("ada", "mlflow")), ["ada", false]);
      assert.deepEqual(
        await who(anonymous, await clientToken(`${issuer.url}/token`, issuer.ca, "pipeline", "of-the-pipeline-12345")),
        ["pipeline", false],
      );
    },
  );

  await context.test(
    "rejects a token of a user in neither group, even if a group name contains both names",
    async () => {
      assertUnauthenticated(await asked(await issuer.token("eve", "mlflow")));
      assertUnauthenticated(
        await asked(await clientToken(`${issuer.url}/token`, issuer.ca, "unrelated", "of-the-unrelated-12345")),
      );
    },
  );

  await context.test("a user who is removed from the group is rejected with the next token", async () => {
    assertUnauthenticated(await asked(await issuer.token("bob", "mlflow", { claims: { groups: ["others"] } })));
    assertUnauthenticated(await asked(await issuer.token("bob", "mlflow", { claims: { groups: undefined } })));
    assert.equal((await asked(await issuer.token("bob", "mlflow"))).status, 200);
  });

  const wrongToken = (form: TokenForm) => {
    const claims = form.claims?.["iss"] === "slash" ? { iss: `${issuer.url}/` } : form.claims;
    return issuer.token("bob", "mlflow", { ...form, ...(claims && { claims }) });
  };

  await context.test("rejects every invalid token", async () => {
    for (const [title, form] of Object.entries(wrongTokens))
      assertUnauthenticated(await asked(await wrongToken(form)), title);
    for (const garbage of ["x", "a.b.c", `${await issuer.token("bob", "mlflow")}x`])
      assertUnauthenticated(await asked(garbage), garbage);
  });

  await context.test("traces require a token and a permission on the experiment", async () => {
    const headers = {
      authorization: `Bearer ${await issuer.token("bob", "mlflow")}`,
      "content-type": "application/json",
    };
    assert.equal((await anonymous.call("POST", "/v1/traces", { body: {}, headers })).status, 403);
  });

  await context.test("a login in a browser at one pod is valid at the other", async (login) => {
    const addresses = (await fixture.pods(name)).map(({ status }) => status?.podIP ?? "");
    const [first = "", second = ""] = addresses;
    assert.notEqual(first, second);
    const browser = (address: string) =>
      webSession({ ca: issuer.ca, addresses: { [`${name}.${fixture.namespace}`]: address } });
    const web = browser(first);
    const page = await web.signIn(`${url}/login`, "ada", "of-ada-1234567");
    assert.equal(page.status, 200, page.body);
    assert.equal(page.url.href, `${url}/`, "MLflow's page");
    const cookie = web.cookies(url);
    const known = await anonymous.as({ address: second }).call("GET", me, { headers: { cookie } });
    assert.equal(known.status, 200, known.body);
    assert.match(known.body, /"is_admin":true/);
    assert.match(known.body, /"username":"ada"/);
    assert.equal(server.status?.serviceURL, serviceUrl(server));

    await login.test("access test results", async () => {
      const attempt = attemptsAt(await addressOf(fixture.objects, name), name);
      const own = browser(first);
      await own.signIn(`${url}/login`, "ada", "of-ada-1234567");
      const session = own.cookies(url);
      const forgedSession = `${session.slice(0, session.lastIndexOf(".") + 1)}AAAAAAAAAAAAAAAAAAAAAAAAAAA`;
      const [bob, pipeline] = [
        await issuer.token("bob", "mlflow"),
        await clientToken(`${issuer.url}/token`, issuer.ca, "pipeline", "of-the-pipeline-12345"),
      ];
      for (const user of ["bob", "pipeline"]) {
        const path = `/api/2.0/mlflow/permissions/users/${user}/experiments/0`;
        const granted = await anonymous.call("POST", path, {
          body: { permission: "EDIT" },
          headers: { cookie: session },
        });
        assert.ok(granted.status < 300, `${path}: ${granted.status} ${granted.body}`);
      }
      for (const token of [bob, pipeline])
        await allPodsAccept(addresses, token, "/api/2.0/mlflow/experiments/get?experiment_id=0");
      const rows: Row[] = [...(await unauthenticatedAttempts(attempt))];
      for (const [title, form] of Object.entries(wrongTokens))
        rows.push(await attempt(`a user's token ${title}`, bearer(await wrongToken(form))));
      rows.push(
        await attempt("a ServiceAccount's token", bearer(await serviceAccountToken(fixture, "default"))),
        await attempt("a session with a forged signature", [`Cookie: ${forgedSession}`]),
        await attempt("an access token of the plugin as a password", [basicLine("bob", "mlf_01234567_of-the-plugin")]),
        await attempt("a user in neither group", bearer(await issuer.token("eve", "mlflow"))),
        await attempt("a user without a grant", bearer(await issuer.token("tom", "mlflow"))),
        await attempt("a user who can edit the experiment", bearer(bob)),
        await attempt("a program with a grant, by its client credentials", bearer(pipeline)),
        await attempt("an administrator in a browser, after the login", [`Cookie: ${session}`]),
      );
      const inside = rows.slice(-3).map(({ who }) => who);
      rows.push(...(await deniedAttempts(attempt, "an administrator in a browser", [`Cookie: ${session}`])));
      await own.send("GET", `${url}/logout`);
      rows.push(await attempt("a copy of its cookie, after signing out", [`Cookie: ${session}`]));
      await assertDocumented("oidc", rows);
      assertAccess(rows, inside);
      assert.ok(rows.every(({ owner }) => ["", claimedOwner].includes(owner)));
    });

    await login.test("access tokens cannot be created, and the answer names the field that enables them", async () => {
      for (const path of [`${users}/current/tokens`, `${users}/bob/tokens`, "/api/2.0/mlflow/scim/tokens"]) {
        const body = { name: "ci", expiration: "2027-01-01T00:00:00Z" };
        const { status, body: text } = await anonymous.call("POST", path, { body, headers: { cookie } });
        assert.ok([403, 404].includes(status), `${path}: ${status} ${text}`);
        assert.match(text, /spec\.authentication\.oidc/);
      }
    });

    await login.test(
      "a collector writes traces with its client credentials, if that client has EDIT permission",
      async () => {
        const as = (id: string) => ({
          args: ["--token-url", `${issuer.url}/token`],
          credential: { "client-id": id, "client-secret": `of-the-${id}-12345` },
        });
        const reader = { authorization: `Bearer ${await issuer.token("bob", "mlflow")}` };
        const collector = await startCollector(fixture, name, as("pipeline"));
        await assertStored(anonymous, await collector.send(), reader);
        const unrelated = await startCollector(fixture, name, as("unrelated"));
        const trace = await unrelated.send();
        await unrelated.rejected(401);
        // The plugin's answer for a trace that does not exist.
        assert.equal((await traceIn(anonymous, trace, reader)).status, 403);
      },
    );

    await login.test("an administrator with a token without the group is not an administrator", async () => {
      assert.deepEqual(await who(anonymous, await issuer.token("ada", "mlflow")), ["ada", true]);
      assertUnauthenticated(await asked(await issuer.token("ada", "mlflow", { claims: { groups: ["mlflow"] } })));
    });

    await login.test("a logout ends the session in all pods", async () => {
      await web.send("GET", `${url}/logout`);
      for (const address of addresses)
        assertUnauthenticated(await anonymous.as({ address }).call("GET", me, { headers: { cookie } }));
    });

    await login.test("a user in neither group can log in at the issuer, and is not authenticated here", async () => {
      const other = browser(first);
      const denied = await other.signIn(`${url}/login`, "eve", "of-eve-1234567");
      assert.match(denied.url.href, /not\+allowed/);
      assertUnauthenticated(await anonymous.call("GET", me, { headers: { cookie: other.cookies(url) } }));
    });

    await login.test("rejects a session that another server has signed", async () => {
      const [value = "", ...rest] = cookie.split(".");
      assertUnauthenticated(
        await anonymous.call("GET", me, {
          headers: { cookie: [value, ...rest.slice(0, -1), "AAAAAAAAAAAAAAAAAAAAAAAAAAA"].join(".") },
        }),
      );
    });
  });

  await context.test(
    "the login redirects to the issuer and back to the server's URL, with any Host header",
    async () => {
      const { status, headers } = await anonymous.call("GET", "/login", { headers: { host: "evil.example.com" } });
      assert.equal(status, 302);
      const target = new URL(headers.location ?? "");
      assert.equal(target.origin, issuer.url);
      assert.equal(target.searchParams.get("redirect_uri"), `${url}/callback`);
      assert.equal(target.searchParams.get("code_challenge_method"), "S256");
    },
  );

  await context.test(
    "while the issuer is unavailable, tokens are verified with cached keys, and unauthenticated clients are rejected",
    async () => {
      const token = await issuer.token("bob", "mlflow");
      const addresses = (await fixture.pods(name)).map(({ status }) => status?.podIP ?? "");
      const letIn = async () => {
        await allPodsAccept(addresses, token);
        await issuer.suspend();
        return (await asked(token)).status === 200;
      };
      // The pod's cache of the keys can expire just then; a new request caches them for another minute.
      if (!(await letIn())) {
        await issuer.resume();
        assert.ok(await letIn(), "keys that are known are not enough");
      }
      assertUnauthenticated(await asked(await issuer.token("bob", "mlflow", { signedBy: "other-key" })));
      assertUnauthenticated(await anonymous.call("GET", search));
      await issuer.resume();
      await issuer.rotateKeys(false);
      const renewed = await issuer.token("bob", "mlflow");
      await allPodsAccept(addresses, renewed);
    },
  );

  await context.test("reports an invalid issuer, and running pods continue to authenticate users", async () => {
    const elsewhere = "https://127.0.0.1:1/.well-known/openid-configuration";
    for (const [change, reason, words] of [
      [{ discoveryURL: elsewhere }, "IssuerUnreachable", /spec\.authentication\.oidc\.discoveryURL/],
      [{ ca: undefined }, "IssuerUntrusted", /spec\.authentication\.oidc\.ca/],
      [{ issuer: `${issuer.url}/` }, "IssuerMismatch", /has the issuer/],
    ] as const) {
      await apply(change);
      const { status } = await fixture.reason(name, "Stalled", reason);
      assert.match(status?.conditions?.find(({ type }) => type === "Stalled")?.message ?? "", words);
      const token = await issuer.token("bob", "mlflow");
      assert.equal((await asked(token)).status, 200, reason);
    }
  });

  await context.test("the newest version authenticates the same users as the oldest, and no others", async () => {
    await apply({ accessTokens: { maxAge: "1h" } }, testedVersion);
    const { status } = await fixture.ready(name);
    assert.equal(status?.version, testedVersion);
    assert.deepEqual(await who(anonymous, await issuer.token("bob", "mlflow")), ["bob", false]);
    assert.deepEqual(await who(anonymous, await issuer.token("ada", "mlflow")), ["ada", true]);
    assertUnauthenticated(await asked(await issuer.token("eve", "mlflow")));
    assertAccess(await unauthenticatedAttempts(attemptsAt(await addressOf(fixture.objects, name), name)), []);
    const response = await anonymous.call("POST", "/v1/traces", {
      body: {},
      headers: { "content-type": "application/json" },
    });
    assertUnauthenticated(response);
  });

  await context.test("MLflow's own client works with a token, and with the documented client credentials", async () => {
    const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
    await fixture.objects.create("Secret", {
      metadata: { name: "token" },
      stringData: { token: await issuer.token("bob", "mlflow") },
    });
    const pod = { name: "client", image, trackingUri: url, tokenSecret: "token" };
    const client = await startClient(fixture, pod);
    const back = await client.run("client.py", "by-bob");
    assert.deepEqual([back["isWhole"], back["predicted"], back["answers"]], [true, 5, [{ answer: "it is" }]]);
    await client.write("/tmp/issuer.crt", issuer.ca);
    const cell = await documentedCells();
    const train = cell("Train", {
      "http://mlflow.mlflow:5000": url,
      'mlflow.set_workspace("team-a")': "",
      "my-experiment": "by-pipeline",
      "my-model": "by-pipeline",
    });
    const report = 'import json\nprint(json.dumps({"status": mlflow.get_run(run.info.run_id).info.status}))\n';
    const found = await client.python(`${cell("Client credentials")}\n${train}\n${report}`, {
      MLFLOW_TRACKING_TOKEN: undefined,
      REQUESTS_CA_BUNDLE: "/tmp/issuer.crt",
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: "pipeline",
      OIDC_CLIENT_SECRET: "of-the-pipeline-12345",
    });
    assert.deepEqual(found, { status: "FINISHED" });
    await fixture.objects.remove("Pod", "client");
  });

  await context.test(
    "with accessTokens, an access token is valid until its user presents a token without the group",
    async () => {
      const [address = ""] = (await fixture.pods(name)).map(({ status }) => status?.podIP ?? "");
      const web = webSession({ ca: issuer.ca, addresses: { [`${name}.${fixture.namespace}`]: address } });
      await web.signIn(`${url}/login`, "tom", "of-tom-1234567");
      const made = await anonymous.as({ address }).call("POST", `${users}/current/tokens`, {
        body: { name: "ci", expiration: new Date(Date.now() + 86_400_000).toISOString() },
        headers: { cookie: web.cookies(url) },
      });
      assert.ok(made.status < 300, made.body);
      const { token }: { token: string } = JSON.parse(made.body);
      const byPassword = anonymous.as({ login: { username: "tom", password: token } });
      assert.equal((await byPassword.call("GET", search)).status, 200);
      await issuer.suspend();
      assert.equal((await byPassword.call("GET", search)).status, 200);
      await issuer.resume();
      // After a failed request for the keys a pod rejects every token for a while.
      const pods = (await fixture.pods(name)).map(({ status }) => status?.podIP ?? "");
      await allPodsAccept(pods, await issuer.token("ada", "mlflow"));
      assertUnauthenticated(await asked(await issuer.token("tom", "mlflow", { claims: { groups: ["others"] } })));
      assertUnauthenticated(await byPassword.call("GET", search));
    },
  );

  await context.test("the Python tests of OpenID Connect in MLflow's image", async () => {
    const [pod] = await fixture.pods(name);
    const text = (file: string) => readFile(join(import.meta.dirname, "../../python/tests/middleware", file), "utf8");
    const tests = await text("test_oidc.py");
    const asModule = [
      "import sys, types",
      'plugin = sys.modules["test_oidc"] = types.ModuleType("test_oidc")',
      `exec(compile(${JSON.stringify(tests)}, "test_oidc.py", "exec"), plugin.__dict__)`,
    ].join("\n");
    // The docstring and the import of __future__ come first, so it is executed as a text as well.
    const grants = `${asModule}\nexec(compile(${JSON.stringify(await text("test_oidc_grants.py"))}, "grants", "exec"))\n`;
    for (const [program, takesTokens] of [
      [tests, ""],
      [tests, "yes"],
      [grants, ""],
    ] as const) {
      const variables = ["PYTHONPATH=/etc/mlflow/python", `TAKES_TOKENS=${takesTokens}`];
      const python = ["env", "--chdir=/tmp", ...variables, "sh", "-c", "python -B -W ignore - 2>&1 || true"];
      const output = await fixture.inPod(pod?.metadata.name ?? "", python, program);
      assert.match(output, /^Ran [1-9][0-9]* tests? in [\s\S]*^OK/m);
    }
  });

  await context.test("no secret is in a log, or in an object other than a Secret", async () => {
    const pods = (await fixture.pods(name)).map(({ metadata }) => metadata.name);
    const logs = await Promise.all(
      pods.map((pod) => fixture.cluster.kubectl(["logs", "--namespace", fixture.namespace, pod])),
    );
    const written = await fixture.cluster.kubectl([
      "get",
      "deployments,configmaps,jobs",
      "-n",
      fixture.namespace,
      "-o=json",
    ]);
    const { data } = await fixture.objects.the("Secret", `${name}-session`);
    const key = Buffer.from(data?.["flask-secret-key"] ?? "", "base64").toString("utf8");
    assert.ok(key.length > 20);
    for (const secret of ["of-the-client-12345", key])
      for (const { stdout } of [...logs, written]) assert.ok(!stdout.includes(secret));
  });
});

/** Asserts 401 in JSON: neither a page nor a redirect. */
function assertUnauthenticated({ status, headers, body }: MlflowAnswer, title = body): void {
  assert.equal(status, 401, `${title}: ${body}`);
  assert.match(headers["content-type"] ?? "", /^application\/json/, title);
}

async function who(mlflow: Mlflow, token: string): Promise<[string, boolean]> {
  const { status, body } = await mlflow.call("GET", me, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(status, 200, body);
  const { username, is_admin }: { username: string; is_admin: boolean } = JSON.parse(body);
  return [username, is_admin];
}
