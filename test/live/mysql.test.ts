import assert from "node:assert/strict";
import { test } from "node:test";
import { newCa } from "../control-plane/certificates.ts";
import { startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { type Deleted, deletedExperiment, deletedRun } from "./deleted-content.ts";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { startMariadb } from "./mariadb-server.ts";
import { trickyPassword } from "./postgresql-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "on-mysql";
const filesProgram = "import os, sys; print(sum(len(files) for _, _, files in os.walk(sys.argv[1])))";

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
  const apply = (tls: object, more: object = {}) =>
    fixture.apply({
      metadata: { name },
      spec: {
        ...more,
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

  await context.test(
    "garbage collection deletes a run and an experiment with traces that are old enough, and no others",
    async () => {
      const mlflow = (await fixture.asAnonymous(name)).as({ token: await issuer.token("ada", "mlflow") });
      const kept = await logRun(mlflow);
      const old = [await deletedRun(mlflow), await deletedExperiment(mlflow, "old")];
      const others = [await deletedRun(mlflow), await deletedExperiment(mlflow, "young")];
      // MySQL gives the highest ID again, so the experiment stays.
      const last = await deletedExperiment(mlflow, "last");
      for (const { age } of [...old, last]) await sql(age);
      const [pod] = await fixture.pods(name);
      const files = (folder: string) =>
        fixture.inPod(pod?.metadata.name ?? "", ["python", "-c", filesProgram, `/mlflow/data/artifacts/${folder}`]);
      /** The numbers of rows and files. */
      const stored = async (of: readonly Deleted[]) =>
        Promise.all(of.map(async ({ count, folder }) => [Number(await sql(count)), Number(await files(folder))]));
      const all = [
        [1, 1],
        [3, 1],
      ];
      assert.deepEqual(await stored(old), all);
      const garbageCollection = { schedule: "* * * * *", olderThan: "1h" };
      await apply({ clientCertificateSecretRef: { name: "database-client" } }, { garbageCollection });
      const { status } = await waitUntil(async () => {
        const server = await objects.the("MlflowServer", name);
        const ready = server.status?.conditions?.find(({ type }) => type === "GarbageCollectionReady");
        assert.equal(ready?.reason, "GarbageCollectionSucceeded", ready?.message ?? "");
        // The controller of CronJobs reports it later than the pod ends.
        assert.ok(server.status?.garbageCollection?.lastSuccessfulTime !== undefined);
        return server;
      }, 300);
      assert.equal(status?.garbageCollection?.deletedRuns, 1);
      assert.deepEqual(await stored(old), [
        [0, 0],
        [0, 0],
      ]);
      assert.deepEqual(await stored([...others, last]), [...all, [3, 1]]);
      await assertKept(mlflow, kept);
    },
  );
});
