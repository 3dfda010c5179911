import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackupClaim, endedBackup } from "./backup-claim.ts";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";

const user = { username: "ada", password: "a long password of Ada" };
const api = "/api/2.0/mlflow";

test("a backup of PostgreSQL and a volume, and its restoration as another server", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const { objects } = fixture;
  const postgresql = await startPostgresql(fixture);
  const claim = await createBackupClaim(fixture);
  const spec = (tracking: object, users: object) => ({
    version: testedVersion,
    server: { aiGateway: "Enabled" },
    backendStore: { postgresql: tracking },
    artifactStore: { persistentVolume: { size: "1Gi" } },
    authentication: { basic: { database: { postgresql: users } } },
  });
  await fixture.apply({
    metadata: { name: "mlflow" },
    spec: spec(postgresql.database("mlflow"), postgresql.database("mlflow_auth")),
  });
  await fixture.ready("mlflow");
  const admin = await fixture.asAdmin("mlflow");
  const run = await logRun(admin);
  await admin.json("POST", `${api}/users/create`, user);
  await admin.json("POST", `${api}/registered-models/create`, { name: "champion" });
  await admin.json("POST", "/api/3.0/mlflow/gateway/secrets/create", {
    secret_name: "provider",
    secret_value: { api_key: "of-the-provider" },
    provider: "openai",
  });

  await objects.create("MlflowBackup", {
    metadata: { name: "nightly" },
    spec: {
      serverRef: { name: "mlflow" },
      destination: claim.destination,
    },
  });
  const backup = await endedBackup(fixture, "nightly");
  const { status } = backup;
  assert.equal(status?.phase, "Completed", JSON.stringify(status?.conditions));
  assert.equal(status.mlflowVersion, testedVersion);
  assert.ok(status.size !== undefined && status.duration !== undefined && status.schemaRevision !== undefined);
  assert.ok(status.location?.startsWith(`pvc://backups/cluster-1/${fixture.namespace}/mlflow/nightly-`));
  await assertKept(admin, run);

  // As in another cluster: the files are represented by another MlflowBackup, the databases are new, and the Secrets are copies.
  const existing = { path: claim.pathOf(backup) };
  await objects.create("MlflowBackup", {
    metadata: { name: "of-another-cluster" },
    spec: {
      serverRef: { name: "restored" },
      existing,
      destination: claim.destination,
    },
  });
  for (const name of ["tracking_restored", "users_restored"])
    await postgresql.sql("postgres", `CREATE DATABASE ${name} OWNER mlflow;`);
  const database = (name: string) => ({ ...postgresql.database("mlflow"), database: name });
  await fixture.apply({
    metadata: { name: "restored" },
    spec: {
      ...spec(database("tracking_restored"), database("users_restored")),
      restore: { backupRef: { name: "of-another-cluster" } },
    },
  });
  // The operator has generated other keys, so nothing is restored.
  await fixture.reason("restored", "Stalled", "RestoreKeysMismatch");
  for (const name of ["session", "admin"]) {
    const { data } = await objects.the("Secret", `mlflow-${name}`);
    await objects.patch("Secret", `restored-${name}`, { data });
  }
  await fixture.ready("restored");
  const { restore } = (await objects.the("MlflowServer", "restored")).status ?? {};
  assert.deepEqual(
    [restore?.backup, restore?.experiments, restore?.runs, restore?.registeredModels, restore?.users],
    ["of-another-cluster", 2, 1, 1, 2],
  );
  assert.deepEqual([restore?.credentials, restore?.unreadableCredentials], [1, 0]);
  const restored = await fixture.asAdmin("restored");
  await assertKept(restored, run);
  assert.match(JSON.stringify(await restored.json("GET", `${api}/registered-models/search`)), /"champion"/);
  const ada = restored.as({ login: user });
  assert.equal((await ada.call("GET", `${api}/users/current`)).status, 200);
  const wrong = restored.as({ login: { ...user, password: "another password of Ada" } });
  assert.equal((await wrong.call("GET", `${api}/users/current`)).status, 401);
});
