import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1PodTemplateSpec } from "@kubernetes/client-node";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import { isNameOf, isOfBackup } from "../../src/model/names.ts";
import { restoreJob } from "../../src/resources/restore-job.ts";
import { environmentOf, inputs, postgresql, secret, server } from "../support/fixtures.ts";
import { podSecurityProblems } from "../support/pod-security.ts";

const backup: MlflowBackup = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowBackup",
  metadata: { name: "nightly", namespace: "team-a", uid: "uid-1" },
  spec: {
    serverRef: { name: "other" },
    existing: { path: "ml/other/nightly" },
    destination: { persistentVolumeClaim: { claimName: "backups" } },
  },
};

const restore = { backupRef: { name: "nightly" } };
const onPostgresql: Partial<MlflowServerSpec> = {
  backendStore: { postgresql },
  artifactStore: { persistentVolume: {} },
};

function jobOf(spec: Partial<MlflowServerSpec>, password = "of-the-database") {
  const references = [secret("db", { username: "mlflow", password })];
  return restoreJob(resolve(inputs(server({ restore, ...spec }), references)), backup);
}

describe("the Job of a restore", () => {
  for (const [title, spec] of Object.entries({ sqlite: {}, postgresql: onPostgresql }))
    test(`of ${title} meets Pod Security restricted and contains no secret`, () => {
      const job = jobOf(spec);
      assert.deepEqual(podSecurityProblems(job.spec.template as V1PodTemplateSpec), []);
      for (const value of ["of-the-database", "kek-passphrase-of-tests", "w".repeat(43)])
        assert.ok(!JSON.stringify(job).includes(value));
      const { env = [] } = job.spec.template.spec?.containers[0] ?? {};
      assert.equal(new Set(env.map(({ name }) => name)).size, env.length, "a variable is set twice");
    });

  test("reads the backup and writes to the volume", () => {
    const { volumeMounts = [] } = jobOf(onPostgresql).spec.template.spec?.containers[0] ?? {};
    const isReadOnly = Object.fromEntries(volumeMounts.map(({ name, readOnly }) => [name, readOnly === true]));
    assert.deepEqual([isReadOnly["backups"], isReadOnly["data"]], [true, false]);
    const env = environmentOf(jobOf({ ...onPostgresql, restore: { ...restore, accept: ["NewKeys"] } }));
    assert.equal(env["BACKUP_DIRECTORY"], "ml/other/nightly");
    assert.equal(env["BACKUP_ARTIFACTS"], "/mlflow/data/artifacts");
    assert.equal(env["RESTORE_ACCEPT"], "NewKeys");
    assert.equal(environmentOf(jobOf(onPostgresql))["RESTORE_ACCEPT"], undefined);
  });

  test("has a name of the server, and another one when a Secret changes", () => {
    const job = jobOf(onPostgresql);
    assert.ok(isNameOf(job, { namespace: "team-a", name: "demo" }) && !isOfBackup(job, "demo"));
    assert.equal(jobOf(onPostgresql).metadata.name, job.metadata.name);
    assert.notEqual(jobOf(onPostgresql, "another password").metadata.name, job.metadata.name);
  });
});
