import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { testedVersion } from "./live-cluster.ts";
import { type LiveFixture, type Login, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import type { Mlflow } from "./mlflow.ts";
import { type PostgresqlServer, startPostgresql } from "./postgresql-server.ts";
import { changeReferences, recordOf, requestRotation } from "./rotations.ts";
import { startS3 } from "./s3-server.ts";
import { steadyLoad } from "./steady-load.ts";
import { waitUntil } from "./wait-until.ts";

const name = "rotated";

/** A Python program that runs in a pod of the server, with its keys. */
const inServer = (line: string) =>
  [
    "import os",
    "from mlflow_operator import accepted_keys",
    "accepted_keys.install()",
    "from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore",
    'store = SqlAlchemyStore(os.environ["MLFLOW_BACKEND_STORE_URI"], "mlflow-artifacts:/")',
    line,
  ].join("\n");

const createCredential = inServer('print(store.create_gateway_secret("p", {"api_key": "value-of-tests"}).secret_id)');
const readCredential = (id: string) => inServer(`print(store._get_decrypted_secret("${id}")["api_key"])`);

async function secretOf({ objects }: LiveFixture, secret: string): Promise<Record<string, string>> {
  const { data = {} } = await objects.the("Secret", secret);
  return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString()]));
}

async function loginOf(fixture: LiveFixture): Promise<Login> {
  const { username = "", password = "" } = await secretOf(fixture, `${name}-admin`);
  return { username, password };
}

async function statusOf(mlflow: Mlflow, login: Login): Promise<number> {
  return (await mlflow.as({ login }).call("GET", "/api/2.0/mlflow/users/current")).status;
}

/** Reads the credential in every pod that is ready until the condition holds. Returns the number of reads, all of which succeed. */
async function readUntil(fixture: LiveFixture, id: string, done: () => Promise<void>): Promise<number> {
  const failed: string[] = [];
  let reads = 0;
  await waitUntil(async () => {
    for (const { metadata, status } of await fixture.pods(name)) {
      if (!status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) continue;
      const program = ["python", "-c", readCredential(id)];
      const text = await fixture.inPod(metadata.name, program).catch((error: unknown) => String(error));
      const pods = await fixture.pods(name);
      // The pod may have ended meanwhile.
      const isThere = pods.some((each) => each.metadata.name === metadata.name);
      if (text.trim() === "value-of-tests") reads += 1;
      else if (isThere) failed.push(text);
    }
    await done();
  }, 2 * timeoutSeconds);
  assert.deepEqual(failed, []);
  return reads;
}

async function alternateUser(fixture: LiveFixture, postgresql: PostgresqlServer): Promise<void> {
  await postgresql.sql("postgres", "CREATE ROLE mlflow_b LOGIN PASSWORD 'password-of-b' IN ROLE mlflow;");
  const stringData = { username: "mlflow_b", password: "password-of-b" };
  await changeReferences(fixture, [name], () => fixture.objects.patch("Secret", "mlflow-db", { stringData }));
  await postgresql.sql("postgres", "ALTER ROLE mlflow NOLOGIN;");
}

test("keys and passwords are rotated while clients work", { timeout: 3_000_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const spec = {
    version: testedVersion,
    replicas: 2,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { s3: s3.store },
    authentication: {
      basic: { database: { postgresql: postgresql.database("mlflow_auth") }, passwordCacheTTL: "5s" },
    },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);
  const client = { username: "steady", password: "password-of-steady" };
  await admin.json("POST", "/api/2.0/mlflow/users/create", client);
  await admin.json("PATCH", "/api/2.0/mlflow/users/update-admin", { username: client.username, is_admin: true });
  const webhook = { name: "w", url: "https://93.184.215.14/hook", secret: "secret-of-tests" };
  const events = [{ entity: "REGISTERED_MODEL", action: "CREATED" }];
  await admin.json("POST", "/api/2.0/mlflow/webhooks", { ...webhook, events });
  const [pod] = await fixture.pods(name);
  assert.ok(pod !== undefined);
  const credential = (await fixture.inPod(pod.metadata.name, ["python", "-c", createCredential])).trim();
  const steady = admin.as({ login: client });
  // The list of webhooks decrypts their secrets.
  const loads = [steadyLoad(steady), steadyLoad(steady, "/api/2.0/mlflow/webhooks")];
  const hook = () => postgresql.sql("mlflow", "SELECT secret FROM webhooks;");

  await context.test("session key, encryption key and key of webhooks", async (step) => {
    const [before, encrypted] = [await secretOf(fixture, `${name}-session`), await hook()];
    await requestRotation(fixture, name, "session:1,encryption-key:1,webhook-key:1");
    const reads = await readUntil(fixture, credential, async () => {
      const records = [await recordOf(fixture, name, "encryption-key"), await recordOf(fixture, name, "webhook-key")];
      assert.deepEqual(
        records.map((record) => record?.phase),
        ["Completed", "Completed"],
      );
    });
    step.diagnostic(`${reads} reads of the credential in pods`);
    assert.equal((await recordOf(fixture, name, "session"))?.phase, "Renewing");
    const after = await secretOf(fixture, `${name}-session`);
    for (const key of ["flask-secret-key", "kek-passphrase", "webhook-key"]) assert.notEqual(after[key], before[key]);
    assert.equal(after["accepted-flask-secret-key"], before["flask-secret-key"]);
    assert.deepEqual([after["accepted-kek-passphrase"], after["accepted-webhook-key"]], [undefined, undefined]);
    assert.equal(await postgresql.sql("mlflow", "SELECT DISTINCT kek_version FROM secrets;"), "2\n");
    assert.notEqual(await hook(), encrypted);
  });

  await context.test("the generated password of the administrator", async () => {
    const former = await loginOf(fixture);
    await requestRotation(fixture, name, "admin-password:1");
    // At each moment MLflow accepts a password of the Secret: after the Job has set the next one it is that, until the Secret has changed.
    const rejected: number[] = [];
    await waitUntil(async () => {
      const { username = "", password = "", "next-password": next } = await secretOf(fixture, `${name}-admin`);
      const statuses = [await statusOf(admin, { username, password })];
      if (statuses[0] !== 200 && next !== undefined) statuses.push(await statusOf(admin, { username, password: next }));
      if (!statuses.includes(200)) rejected.push(...statuses);
      const record = await recordOf(fixture, name, "admin-password");
      assert.deepEqual([record?.phase, record?.request], ["Completed", "1"]);
    }, timeoutSeconds);
    assert.deepEqual(rejected, []);
    assert.notEqual((await loginOf(fixture)).password, former.password);
    assert.equal(await statusOf(admin, await loginOf(fixture)), 200);
    await sleep(6000);
    assert.equal(await statusOf(admin, former), 401);
  });

  await context.test("a password of the administrator that was changed in the Secret", async () => {
    const former = await loginOf(fixture);
    const login = { username: former.username, password: "chosen-by-an-administrator" };
    await fixture.objects.patch("Secret", `${name}-admin`, { stringData: { password: login.password } });
    await waitUntil(async () => assert.equal(await statusOf(admin, login), 200), timeoutSeconds);
    await sleep(6000);
    assert.equal(await statusOf(admin, former), 401);
  });

  await context.test("the user of the database, by a second one", () => alternateUser(fixture, postgresql));

  const results = await Promise.all(loads.map(({ end }) => end()));
  for (const { answered, failed } of results) {
    context.diagnostic(`${answered} requests answered`);
    assert.deepEqual(failed, []);
    assert.ok(answered > 100);
  }
});
