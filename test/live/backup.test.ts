import assert from "node:assert/strict";
import { test } from "node:test";
import { managedSelector } from "../../src/kube/names.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { type LiveFixture, liveFixture } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const user = { username: "ada", password: "a long password of Ada" };
const api = "/api/2.0/mlflow";

/** The commands of docs/backup.md. */
const restoration = [
  'python -c \'import hashlib, json; [hashlib.file_digest(open(f["name"], "rb"), "sha256").hexdigest() == f["sha256"] or exit(f["name"] + " is damaged") for f in json.load(open("manifest.json"))["files"]]\'',
  "mkdir -p /data/artifacts",
  "tar -xf artifacts.tar -C /data/artifacts",
  "pg_restore --no-owner --single-transaction --exit-on-error --dbname=tracking_restored tracking.pgdump",
  "pg_restore --no-owner --single-transaction --exit-on-error --dbname=users_restored users.pgdump",
];

test("a backup of PostgreSQL and a volume, and its restoration as another server", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const { objects } = fixture;
  const postgresql = await startPostgresql(fixture);
  for (const name of ["backups", "restored-artifacts"]) await createClaim(fixture, name);
  const spec = (tracking: object, users: object, persistentVolume: object) => ({
    version: testedVersion,
    backendStore: { postgresql: tracking },
    artifactStore: { persistentVolume },
    authentication: { basic: { database: { postgresql: users } } },
  });
  await fixture.apply({
    metadata: { name: "mlflow" },
    spec: spec(postgresql.database("mlflow"), postgresql.database("mlflow_auth"), { size: "1Gi" }),
  });
  await fixture.ready("mlflow");
  const admin = await fixture.asAdmin("mlflow");
  const run = await logRun(admin);
  await admin.json("POST", `${api}/users/create`, user);
  await admin.json("POST", `${api}/registered-models/create`, { name: "champion" });

  await objects.create("MlflowBackup", {
    metadata: { name: "nightly" },
    spec: {
      serverRef: { name: "mlflow" },
      destination: { persistentVolumeClaim: { claimName: "backups", path: "cluster-1" } },
    },
  });
  const { status } = await waitUntil(async () => {
    const backup = await objects.the("MlflowBackup", "nightly");
    const ready = backup.status?.conditions?.find(({ type }) => type === "Ready");
    assert.match(backup.status?.phase ?? "", /^(Completed|Failed)$/, ready?.message ?? "");
    return backup;
  }, 600);
  assert.equal(status?.phase, "Completed", JSON.stringify(status?.conditions));
  assert.equal(status.mlflowVersion, testedVersion);
  assert.ok(status.size !== undefined && status.duration !== undefined && status.schemaRevision !== undefined);
  const prefix = "pvc://backups/";
  assert.ok(status.location?.startsWith(`${prefix}cluster-1/${fixture.namespace}/mlflow/nightly-`));
  await assertKept(admin, run);

  // The databases are new, the encryption keys and the first administrator are copies.
  for (const name of ["tracking_restored", "users_restored"])
    await postgresql.sql("postgres", `CREATE DATABASE ${name} OWNER mlflow;`);
  for (const name of ["session", "admin"]) {
    const { data, type } = await objects.the("Secret", `mlflow-${name}`);
    const [key = "", value = ""] = managedSelector.split("=");
    const labels = { [key]: value, "mlflow-operator.dev/server": "restored" };
    await objects.create("Secret", { metadata: { name: `restored-${name}`, labels }, data, type });
  }
  await restore(fixture, status.location?.slice(prefix.length) ?? "");
  const database = (name: string) => ({ ...postgresql.database("mlflow"), database: name });
  await fixture.apply({
    metadata: { name: "restored" },
    spec: spec(database("tracking_restored"), database("users_restored"), { existingClaim: "restored-artifacts" }),
  });
  await fixture.ready("restored");
  const restored = await fixture.asAdmin("restored");
  await assertKept(restored, run);
  assert.match(JSON.stringify(await restored.json("GET", `${api}/registered-models/search`)), /"champion"/);
  const ada = restored.as({ login: user });
  assert.equal((await ada.call("GET", `${api}/users/current`)).status, 200);
  const wrong = restored.as({ login: { ...user, password: "another password of Ada" } });
  assert.equal((await wrong.call("GET", `${api}/users/current`)).status, 401);
});

async function createClaim({ objects }: LiveFixture, name: string): Promise<void> {
  const resources = { requests: { storage: "1Gi" } };
  await objects.create("PersistentVolumeClaim", {
    metadata: { name },
    spec: { accessModes: ["ReadWriteOnce"], resources },
  });
}

/** Runs the commands in a Job, as an administrator does, and waits until it is complete. */
async function restore(fixture: LiveFixture, directory: string): Promise<void> {
  const { objects, cluster, namespace } = fixture;
  const secret = (key: string) => ({ secretKeyRef: { name: "mlflow-db", key } });
  await objects.create("Job", {
    metadata: { name: "restore" },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          securityContext: {
            ...{ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
            seccompProfile: { type: "RuntimeDefault" },
          },
          volumes: [
            { name: "backups", persistentVolumeClaim: { claimName: "backups" } },
            { name: "data", persistentVolumeClaim: { claimName: "restored-artifacts" } },
          ],
          containers: [
            {
              name: "restore",
              image: await imageReference(cluster, `mlflow-server:${testedVersion}`),
              command: ["bash", "-euxc", [`cd /backups/${directory}`, ...restoration].join("\n")],
              env: [
                { name: "PGHOST", value: "postgresql" },
                { name: "PGUSER", valueFrom: secret("username") },
                { name: "PGPASSWORD", valueFrom: secret("password") },
              ],
              volumeMounts: [
                { name: "backups", mountPath: "/backups", readOnly: true },
                { name: "data", mountPath: "/data" },
              ],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            },
          ],
        },
      },
    },
  });
  const isOver = (type: string) => async () => {
    const { status } = await objects.the("Job", "restore");
    return status?.conditions?.some((each) => each.type === type && each.status === "True") === true;
  };
  await waitUntil(async () => assert.ok((await isOver("Complete")()) || (await isOver("Failed")())), 300);
  if (await isOver("Complete")()) return;
  const { stdout } = await cluster.kubectl(["logs", "--namespace", namespace, "job/restore"]);
  assert.fail(stdout);
}
