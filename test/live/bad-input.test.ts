import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { startS3 } from "./s3-server.ts";
import { smallVolume } from "./small-volume.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "corrected";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

test("reports invalid input, keeps running pods, and clears the report after the correction", {
  timeout: 1_500_000,
  concurrency: 2,
}, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const reader = await s3.createUser("reader", ["s3:Get*", "s3:List*"]);
  const writer = await s3.createUser("writer", ["s3:*"]);
  await s3.requireSignatures();
  await fixture.objects.patch("Secret", "s3", { stringData: writer });
  const spec = {
    version: testedVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { s3: s3.store },
    authentication: { basic: {} },
  };
  const apply = (change: object) => fixture.apply({ metadata: { name }, spec: { ...spec, ...change } });
  /** Waits until the reason is reported; prints the time, which the test does not assert, because the machine can be busy. */
  const reported = async (reason: string, of = name) => {
    const began = performance.now();
    const server = await fixture.reason(of, "Stalled", reason);
    const find = (type: string) => server.status?.conditions?.find((each) => each.type === type);
    assert.equal(find("Ready")?.reason, reason);
    const { message = "" } = find("Stalled") ?? {};
    context.diagnostic(`${reason} after ${((performance.now() - began) / 1000).toFixed(1)} s: ${message}`);
    return { message, database: find("DatabaseReady"), available: find("Available") };
  };
  const cleared = async (of = name) => {
    const { status } = await fixture.ready(of);
    const bad = status?.conditions?.filter((each) => ["Stalled", "Reconciling"].includes(each.type));
    assert.deepEqual(
      bad?.map((each) => each.status),
      ["False", "False"],
    );
    assert.equal(status?.conditions?.find((each) => each.type === "DatabaseReady")?.status, "True");
  };

  // Runs in parallel, with another server.
  const full = context.test("a full volume with the remains of an interrupted migration", async () => {
    const volume = await smallVolume(context, fixture, "64k");
    await volume.write("mlflow.db.migrating", await halfMadeDatabase());
    await volume.write("mlflow.db.migration-lock", "");
    const persistentVolume = { size: "1Gi", storageClassName: volume.storageClassName };
    const full = { ...spec, backendStore: { sqlite: {} }, artifactStore: { persistentVolume } };
    await fixture.apply({ metadata: { name: "full" }, spec: full });
    const { message } = await reported("DatabaseFull", "full");
    assert.match(message, /Enlarge its volume/);
    await volume.resize("64m");
    await cleared("full");
  });

  await context.test("an image that cannot be pulled", async () => {
    await apply({ image: { repository: "localhost/mlflow-server", tag: "no-such" } });
    const { message } = await reported("ImagePullFailed");
    assert.match(message, /localhost\/mlflow-server:no-such.*spec\.image/);
  });

  await context.test("a database that cannot be reached", async () => {
    await apply({ backendStore: { postgresql: { ...postgresql.database("mlflow"), host: "no-such-host" } } });
    const { message, database } = await reported("DatabaseUnreachable");
    assert.match(message, /no-such-host:5432.*host name does not resolve.*[Cc]heck host/);
    assert.deepEqual([database?.status, database?.reason], ["False", "DatabaseUnreachable"]);
  });

  await context.test("starts after both corrections", async () => {
    await apply({});
    await cleared();
  });

  const admin = await fixture.asAdmin(name);
  const uids = async () => (await fixture.pods(name)).map(({ metadata }) => metadata.uid);
  const before = await uids();
  assert.equal(before.length, 1);
  /** Asserts that the pod from before is still running and answers. */
  const stillRunning = async () => {
    const pods = await fixture.pods(name);
    const former = pods.find(({ metadata }) => metadata.uid === before[0]);
    assert.equal(former?.status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
    assert.equal((await admin.call("GET", search)).status, 200);
  };

  await context.test("credentials without write permission on the bucket", async () => {
    await fixture.objects.patch("Secret", "s3", { stringData: reader });
    const { message, database, available } = await reported("ArtifactStoreReadOnly");
    assert.match(message, /mlflow-artifacts-of-tests.*s3:PutObject/);
    assert.ok(!message.includes(reader.AWS_ACCESS_KEY_ID));
    assert.equal(database?.reason, "MigrationPending");
    assert.equal(available?.status, "True");
    assert.deepEqual(await uids(), before);
    // Running pods still use the previous credentials.
    await assertKept(admin, await logRun(admin));
    await fixture.objects.patch("Secret", "s3", { stringData: writer });
    await cleared();
    assert.deepEqual(await uids(), before, "the spec is unchanged in the end, but the pods were replaced");
  });

  await context.test("an MLflow that crashes at startup", async () => {
    await apply({ server: { env: [{ name: "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", value: "many" }] } });
    const { message, available } = await reported("CrashLooping");
    assert.match(message, new RegExp(`kubectl logs -n ${fixture.namespace} ${name}-\\S+ -c mlflow --previous`));
    assert.equal(available?.status, "True");
    await stillRunning();
    await apply({});
    await cleared();
    await waitUntil(async () => assert.deepEqual(await uids(), before), timeoutSeconds);
  });

  await full;
});

/** Returns a database file with tables that make MLflow's migrations fail because they already exist. */
async function halfMadeDatabase(): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-live-"));
  try {
    const database = new DatabaseSync(join(directory, "half.db"));
    database.exec("CREATE TABLE experiments (experiment_id INTEGER); CREATE TABLE metrics (step BIGINT);");
    database.close();
    return await readFile(join(directory, "half.db"));
  } finally {
    await rm(directory, { recursive: true });
  }
}
