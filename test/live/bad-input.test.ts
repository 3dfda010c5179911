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

const name = "mended";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

test("what is wrong is said, hurts nothing that runs, and is forgotten when it is mended", {
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
  /** Waits until it is said; how long that took is told, and is no matter of the test: the machine may be busy. */
  const told = async (reason: string, of = name) => {
    const began = performance.now();
    const server = await fixture.reason(of, "Stalled", reason);
    const find = (type: string) => server.status?.conditions?.find((each) => each.type === type);
    assert.equal(find("Ready")?.reason, reason);
    const { message = "" } = find("Stalled") ?? {};
    context.diagnostic(`${reason} after ${((performance.now() - began) / 1000).toFixed(1)} s: ${message}`);
    return { message, database: find("DatabaseReady"), available: find("Available") };
  };
  const forgotten = async (of = name) => {
    const { status } = await fixture.ready(of);
    const bad = status?.conditions?.filter((each) => ["Stalled", "Reconciling"].includes(each.type));
    assert.deepEqual(
      bad?.map((each) => each.status),
      ["False", "False"],
    );
    assert.equal(status?.conditions?.find((each) => each.type === "DatabaseReady")?.status, "True");
  };

  // It is about another server.
  const full = context.test("a volume that is full, and on it what a migration left that was cut off", async () => {
    const volume = await smallVolume(context, fixture, "64k");
    await volume.write("mlflow.db.migrating", await halfMadeDatabase());
    await volume.write("mlflow.db.migration-lock", "");
    const persistentVolume = { size: "1Gi", storageClassName: volume.storageClassName };
    const full = { ...spec, backendStore: { sqlite: {} }, artifactStore: { persistentVolume } };
    await fixture.apply({ metadata: { name: "full" }, spec: full });
    const { message } = await told("DatabaseFull", "full");
    assert.match(message, /Enlarge its volume/);
    await volume.resize("64m");
    await forgotten("full");
  });

  await context.test("an image that cannot be pulled", async () => {
    await apply({ image: { repository: "localhost/mlflow-server", tag: "no-such" } });
    const { message } = await told("ImagePullFailed");
    assert.match(message, /localhost\/mlflow-server:no-such.*spec\.image/);
  });

  await context.test("a database that cannot be reached", async () => {
    await apply({ backendStore: { postgresql: { ...postgresql.database("mlflow"), host: "no-such-host" } } });
    const { message, database } = await told("DatabaseUnreachable");
    assert.match(message, /no-such-host:5432.*host name does not resolve.*[Cc]heck host/);
    assert.deepEqual([database?.status, database?.reason], ["False", "DatabaseUnreachable"]);
  });

  await context.test("both mended, it starts", async () => {
    await apply({});
    await forgotten();
  });

  const admin = await fixture.asAdmin(name);
  const uids = async () => (await fixture.pods(name)).map(({ metadata }) => metadata.uid);
  const before = await uids();
  assert.equal(before.length, 1);
  /** The pod that ran before still does, and answers. */
  const unhurt = async () => {
    const pods = await fixture.pods(name);
    const former = pods.find(({ metadata }) => metadata.uid === before[0]);
    assert.equal(former?.status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
    assert.equal((await admin.call("GET", search)).status, 200);
  };

  await context.test("credentials that may only read the bucket", async () => {
    await fixture.objects.patch("Secret", "s3", { stringData: reader });
    const { message, database, available } = await told("ArtifactStoreReadOnly");
    assert.match(message, /mlflow-artifacts-of-tests.*s3:PutObject/);
    assert.ok(!message.includes(reader.AWS_ACCESS_KEY_ID));
    assert.equal(database?.reason, "MigrationPending");
    assert.equal(available?.status, "True");
    assert.deepEqual(await uids(), before);
    // What runs still has the former ones.
    await assertKept(admin, await logRun(admin));
    await fixture.objects.patch("Secret", "s3", { stringData: writer });
    await forgotten();
    assert.deepEqual(await uids(), before, "nothing had changed in the end, and the pods were replaced");
  });

  await context.test("an MLflow that crashes at its start", async () => {
    await apply({ server: { env: [{ name: "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", value: "many" }] } });
    const { message, available } = await told("CrashLooping");
    assert.match(message, new RegExp(`kubectl logs -n ${fixture.namespace} ${name}-\\S+ -c mlflow --previous`));
    assert.equal(available?.status, "True");
    await unhurt();
    await apply({});
    await forgotten();
    await waitUntil(async () => assert.deepEqual(await uids(), before), timeoutSeconds);
  });

  await full;
});

/** A file with tables of which MLflow's own changes would say that they are there already. */
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
