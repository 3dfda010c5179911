import assert from "node:assert/strict";
import { test } from "node:test";
import { supportedVersions } from "../../src/api/versions.ts";
import { label } from "../../src/kube/names.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";

const name = "older";

test("an upgrade from the oldest version to the newest", { timeout: 1_500_000 }, async (context) => {
  assert.deepEqual([supportedVersions[0], supportedVersions.at(-1)], [testedVersion, oldestVersion]);
  const fixture = await liveFixture(context);
  await imageReference(fixture.cluster, `mlflow-server:${oldestVersion}`);
  const postgresql = await startPostgresql(fixture);
  const spec = {
    version: oldestVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: { database: { postgresql: postgresql.database("mlflow_auth") } } },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);
  const run = await logRun(admin);
  const jobsBefore = (await fixture.objects.list("Job")).map(({ metadata }) => metadata.name);
  const uids = async () => (await fixture.pods(name)).map(({ metadata }) => metadata.uid);
  const podsBefore = await uids();

  await context.test("a failed migration keeps running pods, and reports the reason", async () => {
    // Its tables belong to another role: MLflow can use them, but not change them.
    await postgresql.sql(
      "mlflow",
      `CREATE ROLE owner; REASSIGN OWNED BY mlflow TO owner;
       GRANT ALL ON ALL TABLES IN SCHEMA public TO mlflow; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO mlflow;`,
    );
    const revision = () => postgresql.sql("mlflow", "SELECT version_num FROM alembic_version;");
    const revisionBefore = await revision();
    await fixture.apply({ metadata: { name }, spec: { ...spec, version: testedVersion } });
    const { status } = await fixture.reason(name, "DatabaseReady", "DatabasePermissionDenied");
    const condition = (type: string) => status?.conditions?.find((each) => each.type === type);
    assert.match(condition("Stalled")?.message ?? "", /Migrating the tracking schema.*owner/);
    assert.deepEqual([condition("Available")?.status, status?.version], ["True", oldestVersion]);
    assert.deepEqual(await uids(), podsBefore);
    assert.equal(await revision(), revisionBefore, "it was migrated by half");
    await assertKept(admin, run);
    await assertKept(admin, await logRun(admin));
  });

  await context.test("continues after the correction: data kept, one migration, no new pod before it", async () => {
    await postgresql.sql("mlflow", "REASSIGN OWNED BY owner TO mlflow;");
    const { status } = await fixture.ready(name);
    assert.equal(status?.version, testedVersion);
    await assertKept(admin, run);

    const jobs = (await fixture.objects.list("Job")).filter(({ metadata }) => !jobsBefore.includes(metadata.name));
    assert.equal(jobs.length, 1, "there was not one migration");
    assert.equal(jobs[0]?.status?.succeeded, 1);
    const pods = await fixture.pods(name);
    assert.ok(pods.length > 0);
    for (const { metadata } of pods) {
      assert.equal(metadata.labels?.[label.version], testedVersion);
      assert.ok(String(metadata.creationTimestamp) >= String(jobs[0]?.status?.completionTime), "a pod was too early");
    }
  });
});
