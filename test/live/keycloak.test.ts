import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { port } from "../../src/model/names.ts";
import { webSession } from "../support/oidc/web-session.ts";
import { missingChromium, signInByChromium } from "./chromium-login.ts";
import { assertStored, sendSpan, traceIn } from "./collector.ts";
import { collectorImage } from "./collector-image.ts";
import { forwarding } from "./forward.ts";
import { passwordOf, realm, realmOf, secretOf, type User } from "./keycloak-realm.ts";
import { startKeycloak } from "./keycloak-server.ts";
import { addressOf, type LiveFixture, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import type { MlflowAnswer } from "./mlflow.ts";
import { startPostgresql, trickyPassword } from "./postgresql-server.ts";
import { waitUntil } from "./wait-until.ts";

const example = join(import.meta.dirname, "../../examples/keycloak-collector.yaml");
const name = "mlflow-kagenti";
const api = "/api/2.0/mlflow";
const me = `${api}/users/current`;

/** The statuses of reading an experiment, writing a run, deleting it, restoring it and changing the grant, by the group's permission. */
const allowed = {
  none: [403, 403, 403, 403, 403],
  READ: [200, 403, 403, 403, 403],
  EDIT: [200, 200, 403, 403, 403],
  MANAGE: [200, 200, 200, 200, 200],
} as const;

test("a server and a collector with a real Keycloak, as the example has them", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const way = await forwarding(context);
  const url = `http://localhost:${way.port}`;
  const [keycloak, image] = await Promise.all([
    startKeycloak(fixture),
    collectorImage(fixture.cluster),
    startPostgresql(fixture),
  ]);
  const issuer = `${keycloak.url}/realms/${realm}`;
  await keycloak.admin("POST", "/admin/realms", realmOf(url));
  await fixture.objects.create("Secret", {
    metadata: { name: "otel-collector-mlflow" },
    stringData: { "client-id": "otel-collector", "client-secret": secretOf("otel-collector") },
  });
  const { root, intermediate } = keycloak.ca;
  await applyExample(fixture, { issuer, ca: root, url, image });

  await context.test("the root alone is not enough where Keycloak does not send the intermediate one", async () => {
    await fixture.reason(name, "Stalled", "IssuerUntrusted");
    await fixture.objects.patch("ConfigMap", "keycloak-ca", { data: { "ca.crt": `${intermediate}${root}` } });
    // A collector reads the CA bundle at its start only.
    const restart = ["rollout", "restart", "--namespace", fixture.namespace, "deployment/otel-collector"];
    assert.equal((await fixture.cluster.kubectl(restart)).code, 0);
    await fixture.ready(name);
  });
  const address = await addressOf(fixture.objects, name);
  way.forwardTo({ address, port });
  const mlflow = await fixture.asAnonymous(name);

  const browser = () => webSession({ ca: `${intermediate}${root}`, addresses: { localhost: "127.0.0.1" } });
  const signedIn = async (user: User) => {
    const web = browser();
    const page = await web.signIn(`${url}/login`, user, passwordOf(user));
    return { web, page, cookie: web.cookies(url) };
  };
  const token = (client: string) =>
    keycloak.token(realm, {
      grant_type: "client_credentials",
      client_id: client,
      client_secret: secretOf(client),
    });
  const withToken = (accessToken: string) => ({ headers: { authorization: `Bearer ${accessToken}` } });
  const ada = await signedIn("ada");
  const administrator = { headers: { cookie: ada.cookie } };
  /** As the administrator, in a browser. */
  const made = async (method: string, path: string, body: object) => {
    const answer = await mlflow.call(method, path, { ...administrator, body });
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body}`);
    return answer.body === "" ? {} : JSON.parse(answer.body);
  };

  await context.test("a user signs in with PKCE, and the admin group makes an administrator", async () => {
    assert.equal(ada.page.status, 200, ada.page.body);
    assert.equal(ada.page.url.href, `${url}/`);
    assert.deepEqual(await identity(await mlflow.call("GET", me, administrator)), ["ada", true]);
    const bob = await signedIn("bob");
    const known = await mlflow.call("GET", me, { headers: { cookie: bob.cookie } });
    assert.deepEqual(await identity(known), ["bob", false]);
  });

  await context.test("a user in neither group is rejected after the login", async () => {
    const eve = await signedIn("eve");
    assert.match(eve.page.url.href, /not\+allowed/);
    assert.equal((await mlflow.call("GET", me, { headers: { cookie: eve.cookie } })).status, 401);
  });

  await context.test("a real browser shows MLflow after the login", { skip: missingChromium }, async () => {
    const { hostname } = new URL(keycloak.url);
    const login = { issuer: hostname, login: "ada", password: passwordOf("ada") };
    const shown = await signInByChromium({ url: `${url}/login`, ...login, text: "Experiments" });
    assert.ok(shown.url.startsWith(`${url}/`), shown.url);
  });

  await context.test("client credentials authenticate by audience and group", async () => {
    for (const client of ["mlflow", "otel-collector"]) {
      const answer = await mlflow.call("GET", me, withToken(await token(client)));
      assert.deepEqual(await identity(answer), [`service-account-${client}`, false]);
    }
    const byPassword = { grant_type: "password", username: "bob", password: passwordOf("bob") };
    const rejected = {
      "a client without the audience mapper": await token("no-audience"),
      "a client in another group": await token("no-group"),
      "admin-cli": await keycloak.token(realm, { ...byPassword, client_id: "admin-cli" }),
    };
    for (const [who, accessToken] of Object.entries(rejected))
      assert.equal((await mlflow.call("GET", me, withToken(accessToken))).status, 401, who);
  });

  const { experiment_id: experiment } = await made("POST", `${api}/experiments/create`, { name: "agents" });
  assert.equal(experiment, "1", "the one of the example");

  await context.test("a group has READ, EDIT or MANAGE on an experiment, for users and programs", async () => {
    const members = [{ headers: { cookie: (await signedIn("bob")).cookie } }, withToken(await token("mlflow"))];
    for (const [permission, expected] of Object.entries(allowed)) {
      const { experiment_id: id } = await made("POST", `${api}/experiments/create`, { name: permission });
      const group = `${api}/permissions/groups/mlflow/experiments/${id}`;
      if (permission !== "none") await made("POST", group, { permission });
      for (const member of members) {
        const status = async (method: string, path: string, body?: object) =>
          (await mlflow.call(method, path, { ...member, ...(body && { body }) })).status;
        const seen = [
          await status("GET", `${api}/experiments/get?experiment_id=${id}`),
          await status("POST", `${api}/runs/create`, { experiment_id: id, start_time: Date.now() }),
          await status("POST", `${api}/experiments/delete`, { experiment_id: id }),
          await status("POST", `${api}/experiments/restore`, { experiment_id: id }),
          await status("PATCH", group, { permission }),
        ];
        assert.deepEqual(seen, expected, permission);
      }
    }
  });

  await context.test("the collector of the example writes traces when its service account has EDIT", async () => {
    await waitUntil(async () => {
      const { metadata, status } = await fixture.objects.the("Deployment", "otel-collector");
      assert.equal(status?.observedGeneration, metadata.generation);
      assert.deepEqual([status?.replicas, status?.updatedReplicas, status?.readyReplicas], [1, 1, 1]);
    }, timeoutSeconds);
    const collector = await addressOf(fixture.objects, "otel-collector");
    const [pod] = await fixture.pods(name);
    assert.ok(pod !== undefined);
    const sent = () => sendSpan(fixture, collector, { namespace: fixture.namespace, sender: pod.metadata.name });
    const refused = await sent();
    const logs = ["logs", "--namespace", fixture.namespace, "deployment/otel-collector"];
    await waitUntil(async () => {
      const { stdout } = await fixture.cluster.kubectl(logs);
      assert.match(stdout, /Dropping data.*HTTP Status Code 403/, stdout);
    }, 120);
    const grant = `${api}/permissions/users/service-account-otel-collector/experiments/${experiment}`;
    await made("POST", grant, { permission: "EDIT" });
    await assertStored(mlflow, await sent(), administrator.headers);
    assert.notEqual((await traceIn(mlflow, refused, administrator.headers)).status, 200);
  });

  await context.test("a session ends with the token, and Keycloak signs the user in again without a form", async () => {
    await keycloak.admin("PUT", `/admin/realms/${realm}`, { accessTokenLifespan: 3 });
    try {
      const { web, cookie } = await signedIn("bob");
      await waitUntil(async () => {
        assert.equal((await mlflow.call("GET", me, { headers: { cookie } })).status, 401);
      }, 60);
      await keycloak.admin("PUT", `/admin/realms/${realm}`, { accessTokenLifespan: 300 });
      const page = await web.open(`${url}/login`);
      assert.equal(page.url.href, `${url}/`);
      const again = await mlflow.call("GET", me, { headers: { cookie: web.cookies(url) } });
      assert.deepEqual(await identity(again), ["bob", false]);
    } finally {
      await keycloak.admin("PUT", `/admin/realms/${realm}`, { accessTokenLifespan: 300 });
    }
  });

  await context.test("the logout ends the session at Keycloak, too", async () => {
    const { web, cookie } = await signedIn("bob");
    const page = await web.open(`${url}/logout`);
    assert.equal(page.url.href, `${url}/oidc/ui/auth`);
    assert.equal((await mlflow.call("GET", me, { headers: { cookie } })).status, 401);
    const next = await web.open(`${url}/login`);
    assert.equal(next.url.hostname, new URL(keycloak.url).hostname, next.url.href);
  });

  await context.test("realm roles stand for groups by a path into the token", async () => {
    await fixture.objects.patch("MlflowServer", name, {
      spec: { authentication: { oidc: { groupsClaim: "realm_access.roles" } } },
    });
    await fixture.ready(name);
    const bob = await signedIn("bob");
    const known = await mlflow.call("GET", me, { headers: { cookie: bob.cookie } });
    assert.deepEqual(await identity(known), ["bob", false]);
    assert.match((await signedIn("eve")).page.url.href, /not\+allowed/);
    assert.equal((await mlflow.call("GET", me, withToken(await token("mlflow")))).status, 401, "it has no role");
  });
});

async function identity({ status, body }: MlflowAnswer): Promise<[string, boolean]> {
  assert.equal(status, 200, body);
  const { username, is_admin: isAdmin } = JSON.parse(body);
  return [username, isAdmin];
}

interface Replacements {
  readonly issuer: string;
  readonly ca: string;
  readonly url: string;
  readonly image: string;
}

/** Applies the example with the values of this cluster where the example has "replace", and without the mesh, which is not installed here. */
async function applyExample(fixture: LiveFixture, { issuer, ca, url, image }: Replacements): Promise<void> {
  let text = await readFile(example, "utf8");
  const replace = (from: string | RegExp, to: string) => {
    assert.ok(text.search(from) >= 0, `the example has no ${from}`);
    text = text.replaceAll(from, () => to);
  };
  replace("kagenti-system", fixture.namespace);
  replace("replace-with-the-secret-of-the-client-mlflow", secretOf("mlflow"));
  replace("replace-with-the-password-of-role-mlflow", JSON.stringify(trickyPassword));
  replace(/ {4}-----BEGIN CERTIFICATE-----\n.*\n {4}-----END CERTIFICATE-----\n/g, ca.replaceAll(/^(?=.)/gm, "    "));
  replace(`postgres-otel.${fixture.namespace}.svc.cluster.local`, "postgresql");
  replace("https://keycloak.example.com/realms/ml", issuer);
  replace("https://mlflow.example.com", url);
  replace(/ {2}mesh:\n {4}istio:\n {6}mode: Ambient\n.*\n/g, "");
  replace(/image: otel.*/g, `image: ${image}`);
  const { code, stderr } = await fixture.cluster.kubectl(["apply", "-f", "-"], text);
  assert.equal(code, 0, stderr);
}
