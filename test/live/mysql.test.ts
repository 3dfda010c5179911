import assert from "node:assert/strict";
import { test } from "node:test";
import { newCa } from "../control-plane/certificates.ts";
import { startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { startMariadb } from "./mariadb-server.ts";
import { trickyPassword } from "./postgresql-server.ts";
import { waitUntil } from "./wait-until.ts";

const name = "on-mysql";

test("MySQL by fields: reasons before pods start, TLS with both certificates, users of OpenID Connect in the same database", {
  timeout: 1_200_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const { objects } = fixture;
  const { ca, client, sql } = await startMariadb(fixture);
  const issuer = await startOidcIssuer({
    address: fixture.cluster.hostAddress,
    clients: [{ id: "mlflow", secret: "of-the-client-12345", redirectUris: ["http://localhost/callback"] }],
    people: [
      { login: "ada", password: "of-ada-1234567", groups: ["mlflow-admin"] },
      { login: "bob", password: "of-bob-1234567", groups: ["mlflow", "team-a"] },
      { login: "eve", password: "of-eve-1234567", groups: ["mlflow", "TEAM-A"] },
    ],
  });
  context.after(() => issuer.close());
  const otherCa = await newCa("others");
  const address = { host: "mariadb", port: "3306", dbname: "old" };
  const right = { username: "mlflow", password: trickyPassword };
  await Promise.all([
    objects.create("ConfigMap", { metadata: { name: "issuer-ca" }, data: { "ca.crt": issuer.ca } }),
    objects.create("ConfigMap", { metadata: { name: "database-ca" }, data: { "ca.crt": otherCa.certificate } }),
    objects.create("Secret", { metadata: { name: "oidc" }, stringData: { secret: "of-the-client-12345" } }),
    objects.create("Secret", { metadata: { name: "database" }, stringData: { ...address, ...right } }),
    objects.create("Secret", {
      metadata: { name: "database-client" },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": client.certificate, "tls.key": client.key },
    }),
  ]);
  const apply = (tls: object) =>
    fixture.apply({
      metadata: { name },
      spec: {
        version: testedVersion,
        backendStore: {
          mysql: {
            credentialsSecretRef: { name: "database", hostKey: "host", portKey: "port", databaseKey: "dbname" },
            tls: { ca: { configMapRef: { name: "database-ca" } }, ...tls },
          },
        },
        artifactStore: { persistentVolume: {} },
        access: [{ permission: "READ", subjects: [{ kind: "Group", name: "team-a" }], registeredModels: ["case-*"] }],
        authentication: {
          oidc: {
            discoveryURL: `${issuer.url}/.well-known/openid-configuration`,
            clientID: "mlflow",
            clientSecretRef: { name: "oidc", key: "secret" },
            scopes: ["openid", "email", "profile", "groups"],
            usernameClaim: "sub",
            userGroup: "mlflow",
            adminGroup: "mlflow-admin",
            ca: { configMapRef: { name: "issuer-ca" } },
          },
        },
      },
    });
  /** Waits for the reason and returns its message, which must not have the password. */
  const stalled = async (reason: string) => {
    const { status } = await fixture.reason(name, "Stalled", reason);
    const { message = "" } = status?.conditions?.find(({ type }) => type === "Stalled") ?? {};
    assert.ok(!message.includes(trickyPassword));
    return message;
  };

  await context.test("reports a certificate of another CA", async () => {
    await apply({ clientCertificateSecretRef: { name: "database-client" } });
    assert.match(
      await stalled("TLSVerificationFailed"),
      /mysql database "old" on mariadb:3306 .* failed TLS verification/,
    );
  });

  await context.test("reports a user without its client certificate", async () => {
    await objects.patch("ConfigMap", "database-ca", { data: { "ca.crt": ca } });
    await apply({});
    assert.match(await stalled("DatabaseAuthenticationFailed"), /TLS requirement fits the TLS mode/);
  });

  await context.test("reports a database that cannot store all characters", async () => {
    await apply({ clientCertificateSecretRef: { name: "database-client" } });
    assert.match(await stalled("UnsupportedCharacterSet"), /character set latin1/);
    assert.equal(await sql("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'old';"), "0\n");
  });

  await context.test(
    "migrates, and stores users and names of any script, over connections that verify both sides",
    async () => {
      await objects.patch("Secret", "database", { stringData: { dbname: "mlflow" } });
      const { status } = await fixture.ready(name);
      assert.equal(status?.backendStore, "MySQL");
      const mlflow = await fixture.asAnonymous(name);
      const headers = { authorization: `Bearer ${await issuer.token("ada", "mlflow")}` };
      const experiment = "模型 Übung 🚀";
      await waitUntil(async () => {
        const created = await mlflow.call("POST", "/api/2.0/mlflow/experiments/create", {
          headers,
          body: { name: experiment },
        });
        assert.ok(created.status === 200 || /ALREADY_EXISTS/.test(created.body), created.body);
      }, 120);
      assert.equal(await sql("SELECT name FROM mlflow.experiments WHERE experiment_id > 0;"), `${experiment}\n`);
      assert.equal(await sql("SELECT username FROM mlflow.users WHERE username = 'ada';"), "ada\n");
      const denied = await mlflow.call("GET", "/api/2.0/mlflow/experiments/search?max_results=1");
      assert.equal(denied.status, 401);
    },
  );

  await context.test(
    "spec.access compares names of models and groups exactly, although the database ignores case",
    async () => {
      const mlflow = await fixture.asAnonymous(name);
      const as = async (login: string) => ({ authorization: `Bearer ${await issuer.token(login, "mlflow")}` });
      const [ada, bob, eve] = [await as("ada"), await as("bob"), await as("eve")];
      const models = "/api/2.0/mlflow/registered-models";
      for (const model of ["case-a", "CASE-b"]) {
        const created = await mlflow.call("POST", `${models}/create`, { headers: ada, body: { name: model } });
        assert.equal(created.status, 200, created.body);
      }
      const read = async (headers: Record<string, string>, model: string) =>
        (await mlflow.call("GET", `${models}/get?name=${model}`, { headers })).status;
      assert.deepEqual(
        [await read(bob, "case-a"), await read(bob, "case-A"), await read(bob, "case-b"), await read(bob, "CASE-b")],
        [200, 403, 403, 403],
      );
      assert.equal(await read(eve, "case-a"), 403);
      const members = "SELECT g.group_name FROM mlflow.user_groups m JOIN mlflow.groups g ON g.id = m.group_id";
      const of = (login: string) =>
        sql(`${members} JOIN mlflow.users u ON u.id = m.user_id WHERE u.username = '${login}' ORDER BY 1;`);
      assert.deepEqual([await of("bob"), await of("eve")], ["mlflow\nteam-a\n", "mlflow\n"]);
    },
  );
});
