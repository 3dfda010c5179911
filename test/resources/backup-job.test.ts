import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1PodTemplateSpec } from "@kubernetes/client-node";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import { isNameOf, isOfBackup } from "../../src/model/names.ts";
import { locationOf } from "../../src/resources/backup-destination.ts";
import { backupJob, backupJobName } from "../../src/resources/backup-job.ts";
import { environmentOf, inputs, postgresql, secret, server } from "../support/fixtures.ts";
import { podSecurityProblems } from "../support/pod-security.ts";

const onVolume = { persistentVolumeClaim: { claimName: "backups", path: "cluster-1" } };
const inBucket = {
  s3: { bucket: "backups", prefix: "cluster-1", region: "eu-central-1", credentialsSecretRef: { name: "backup-s3" } },
};

function backup(destination: MlflowBackup["spec"]["destination"] = onVolume): MlflowBackup {
  return {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowBackup",
    metadata: { name: "nightly", namespace: "team-a", uid: "uid-1", creationTimestamp: "2026-01-31T18:00:05Z" },
    spec: { serverRef: { name: "demo" }, destination },
  };
}

const jobOf = (spec: Partial<MlflowServerSpec>, of = backup()) =>
  backupJob(resolve(inputs(server(spec), [secret("db", { username: "mlflow", password: "of-the-database" })])), of);

const specs: Readonly<Record<string, Partial<MlflowServerSpec>>> = {
  sqlite: {},
  postgresql: { backendStore: { postgresql }, artifactStore: { persistentVolume: {} } },
  bucket: {
    backendStore: { postgresql },
    artifactStore: { s3: { bucket: "artifacts", credentialsSecretRef: { name: "artifacts-s3" } } },
  },
  oidc: {
    backendStore: { postgresql },
    authentication: {
      oidc: {
        discoveryURL: "https://idp.example.com/.well-known/openid-configuration",
        clientID: "mlflow",
        userGroup: "users",
        adminGroup: "admins",
        clientSecretRef: { name: "oidc", key: "s" },
      },
    },
  },
};

describe("the Job of a backup", () => {
  for (const [title, spec] of Object.entries(specs))
    for (const destination of [onVolume, inBucket])
      test(`${title} to ${Object.keys(destination)[0]} meets Pod Security restricted and contains no secret`, () => {
        const job = jobOf(spec, backup(destination));
        assert.deepEqual(podSecurityProblems(job.spec.template as V1PodTemplateSpec), []);
        const text = JSON.stringify(job);
        for (const value of ["of-the-database", "kek-passphrase-of-tests", "w".repeat(43)])
          assert.ok(!text.includes(value));
        const { env = [] } = job.spec.template.spec?.containers[0] ?? {};
        assert.equal(new Set(env.map(({ name }) => name)).size, env.length, "a variable is set twice");
      });

  test("runs once, belongs to the MlflowBackup, and is selected by the NetworkPolicy but not by the Service", () => {
    const { metadata, spec } = jobOf({});
    assert.deepEqual([spec.backoffLimit, spec.template.spec?.restartPolicy], [0, "Never"]);
    assert.deepEqual(
      metadata.ownerReferences?.map(({ kind, name, uid, controller }) => [kind, name, uid, controller]),
      [["MlflowBackup", "nightly", "uid-1", true]],
    );
    const labels = spec.template.metadata?.labels;
    assert.equal(labels?.["mlflow-operator.dev/server"], "demo");
    assert.equal(labels?.["app.kubernetes.io/component"], "backup");
  });

  test("has a name that the cache expects, and another one if the MlflowBackup is created again", () => {
    const [one, other] = [backup(), { ...backup(), metadata: { ...backup().metadata, uid: "uid-2" } }];
    assert.notEqual(backupJobName(one), backupJobName(other));
    const job = jobOf({});
    assert.ok(isNameOf(job, { namespace: "team-a", name: "demo" }) && isOfBackup(job, "demo"));
    assert.ok(!isOfBackup({ ...job, metadata: { name: "demo-migrate-0123456789" } }, "demo"));
  });

  test("copies artifacts on a volume, and names those in a bucket without its credentials", () => {
    assert.equal(environmentOf(jobOf(specs["postgresql"] ?? {}))["BACKUP_ARTIFACTS"], "/mlflow/data/artifacts");
    const env = environmentOf(jobOf(specs["bucket"] ?? {}, backup(inBucket)));
    assert.equal(env["BACKUP_ARTIFACTS"], "s3://artifacts");
    assert.equal(env["AWS_ACCESS_KEY_ID"], "backup-s3/AWS_ACCESS_KEY_ID");
    assert.equal(env["BACKUP_DESTINATION"], "s3://backups/cluster-1");
  });

  test("mounts the server's volume, read-only unless SQLite is on it, and near the server's pods", () => {
    const mountOf = (spec: Partial<MlflowServerSpec>) =>
      jobOf(spec).spec.template.spec?.containers[0]?.volumeMounts?.find(({ name }) => name === "data");
    assert.equal(mountOf({})?.readOnly, undefined);
    assert.equal(mountOf(specs["postgresql"] ?? {})?.readOnly, true);
    assert.equal(mountOf(specs["bucket"] ?? {}), undefined);
    assert.ok(jobOf({}).spec.template.spec?.affinity?.podAffinity !== undefined);
    assert.equal(jobOf(specs["bucket"] ?? {}).spec.template.spec?.affinity, undefined);
  });

  test("of files that exist already reads them, and nothing of the server", () => {
    const existing = (destination: MlflowBackup["spec"]["destination"]) => {
      const { spec, ...rest } = backup(destination);
      return { ...rest, spec: { ...spec, existing: { path: "ml/tracking/nightly" } } };
    };
    const job = jobOf(specs["postgresql"] ?? {}, existing(onVolume));
    const { containers = [], volumes = [], affinity } = job.spec.template.spec ?? {};
    assert.deepEqual(podSecurityProblems(job.spec.template as V1PodTemplateSpec), []);
    assert.deepEqual(
      volumes.map(({ name }) => name),
      ["tmp", "backups"],
    );
    assert.equal(containers[0]?.volumeMounts?.find(({ name }) => name === "backups")?.readOnly, true);
    assert.equal(affinity, undefined);
    assert.doesNotMatch(JSON.stringify(containers[0]?.env), /DATABASE|KEK|WEBHOOK/);
    assert.equal(environmentOf(job)["BACKUP_DIRECTORY"], "cluster-1/ml/tracking/nightly");
    assert.equal(locationOf(existing(inBucket)), "s3://backups/cluster-1/ml/tracking/nightly");
  });

  test("writes to a folder that the status names", () => {
    const directory = `team-a/demo/nightly-20260131T180005Z-${backupJobName(backup()).slice(-10)}`;
    assert.equal(environmentOf(jobOf({}))["BACKUP_DIRECTORY"], `cluster-1/${directory}`);
    assert.equal(locationOf(backup()), `pvc://backups/cluster-1/${directory}`);
    assert.equal(environmentOf(jobOf({}, backup(inBucket)))["BACKUP_DIRECTORY"], directory);
    assert.equal(locationOf(backup(inBucket)), `s3://backups/cluster-1/${directory}`);
  });

  test("that no other MlflowBackup has, such as one of the same name and second in another cluster", () => {
    const { metadata } = backup();
    const other = { ...backup(), metadata: { ...metadata, uid: "uid-2" } };
    assert.notEqual(locationOf(other), locationOf(backup()));
    const { env = [] } = jobOf({}, other).spec.template.spec?.containers[0] ?? {};
    assert.ok(env.some(({ name, value }) => name === "BACKUP_UID" && value === "uid-2"));
  });

  test("whose name fits into a file system, with the suffix of an incomplete backup", () => {
    const long = { ...backup(), metadata: { ...backup().metadata, name: "n".repeat(253) } };
    const folder = locationOf(long).split("/").at(-1) ?? "";
    assert.ok(`${folder}.partial`.length <= 255, `${folder.length}`);
  });

  test("and ends after a day, since later backups of the server wait for it", () => {
    assert.equal(jobOf({}).spec.activeDeadlineSeconds, 24 * 3600);
  });
});
