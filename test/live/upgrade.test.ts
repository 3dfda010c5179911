import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { load } from "js-yaml";
import type { MlflowServer } from "../../src/api/server.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import type { Job } from "../../src/kube/manifests.ts";
import { annotation, label } from "../../src/kube/names.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { basicOn, startPostgresql } from "./postgresql-server.ts";
import { steadyWriter } from "./steady-writer.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "older";

test("an upgrade from the oldest version to the newest", { timeout: 1_500_000 }, async (context) => {
  assert.deepEqual([supportedVersions[0], supportedVersions.at(-1)], [testedVersion, oldestVersion]);
  const fixture = await liveFixture(context);
  await imageReference(fixture.cluster, `mlflow-server:${oldestVersion}`);
  const postgresql = await startPostgresql(fixture);
  const spec = {
    version: oldestVersion,
    ...basicOn(postgresql),
    artifactStore: { persistentVolume: {} },
  };
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);
  const run = await logRun(admin);
  const jobsBefore = (await fixture.objects.list("Job")).map(({ metadata }) => metadata.name);
  const uids = async () => (await fixture.pods(name)).map(({ metadata }) => metadata.uid);
  const podsBefore = await uids();

  const changed = { ...spec, version: testedVersion, upgrade: { approval: "Manual" } };
  const writer = await steadyWriter(admin);
  const condition = ({ status }: MlflowServer, type: string) => status?.conditions?.find((each) => each.type === type);
  const phase = async () => (await fixture.objects.the("MlflowServer", name)).status?.upgrade;
  const assertServing = async (server: MlflowServer) => {
    assert.deepEqual([condition(server, "Available")?.status, server.status?.version], ["True", oldestVersion]);
    assert.deepEqual(await uids(), podsBefore);
    await assertKept(admin, run);
    assert.deepEqual(writer.failures(), [], "a write failed while the previous version served");
  };

  await context.test("an image that does not fit fails the preflight, and the previous version serves", async () => {
    await fixture.apply({ metadata: { name }, spec: { ...changed, image: { tag: oldestVersion } } });
    const server = await fixture.reason(name, "Stalled", "UnsupportedImage");
    assert.match(
      condition(server, "Stalled")?.message ?? "",
      /^Preflight .* contains MLflow 3\.16\.1, and spec\.version is/,
    );
    await assertServing(server);
  });

  await context.test("tables of another owner fail the preflight: nothing is migrated", async () => {
    // MLflow can use them, but not change them.
    await postgresql.sql(
      "mlflow",
      `CREATE ROLE owner; REASSIGN OWNED BY mlflow TO owner;
       GRANT ALL ON ALL TABLES IN SCHEMA public TO mlflow; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO mlflow;`,
    );
    const revision = () => postgresql.sql("mlflow", "SELECT version_num FROM alembic_version;");
    const revisionBefore = await revision();
    await fixture.apply({ metadata: { name }, spec: changed });
    const server = await fixture.reason(name, "Stalled", "DatabasePermissionDenied");
    assert.match(condition(server, "Stalled")?.message ?? "", /tracking schema cannot be migrated.*belongs to owner/);
    await assertServing(server);
    assert.equal(await revision(), revisionBefore, "it was migrated by half");
    await assertKept(admin, await logRun(admin));
    await postgresql.sql("mlflow", "REASSIGN OWNED BY owner TO mlflow;");
  });

  await context.test("waits for approval after the checks, without a new pod", async () => {
    await assertServing(await fixture.reason(name, "Reconciling", "ApprovalRequired"));
    assert.match((await phase())?.waitingFor ?? "", /approve-upgrade/);
  });

  await context.test(
    "the Job in docs/operations.md prepares the migration while the previous version serves",
    async () => {
      const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
      const { spec, metadata } = await documentedJob(image);
      const job = metadata.name;
      await fixture.objects.create("Job", { metadata: { name: job }, spec });
      await waitUntil(async () => assert.equal((await fixture.objects.the("Job", job)).status?.succeeded, 1), 180);
      await assertServing(await fixture.objects.the("MlflowServer", name));
      await assertKept(admin, await logRun(admin));
    },
  );

  await context.test(
    "continues when approved: data kept, one migration, no pod of either version during it",
    async () => {
      const approvedAt = Date.now();
      const annotations = { [annotation.approveUpgrade]: (await phase())?.approval ?? "" };
      await fixture.objects.patch("MlflowServer", name, { metadata: { annotations } });
      const { status } = await fixture.ready(name);
      const readyAt = Date.now();
      assert.deepEqual([status?.version, status?.upgrade], [testedVersion, undefined]);
      await assertKept(admin, run);

      const isMigration = ({ metadata }: Job) => metadata.labels?.[label.component] === "migration";
      const jobs = (await fixture.objects.list("Job"))
        .filter(isMigration)
        .filter(({ metadata }) => !jobsBefore.includes(metadata.name));
      assert.equal(jobs.length, 1, "there was not one migration");
      assert.equal(jobs[0]?.status?.succeeded, 1);
      const pods = await fixture.pods(name);
      assert.ok(pods.length > 0);
      for (const { metadata } of pods) {
        assert.equal(metadata.labels?.[label.version], testedVersion);
        assert.ok(String(metadata.creationTimestamp) >= String(jobs[0]?.status?.completionTime), "a pod was too early");
      }
      const { writes, lost } = await writer.end();
      const failures = writer.failures();
      const outside = failures.filter(({ began, ended }) => ended < approvedAt || began > readyAt + 1000);
      assert.deepEqual(outside, [], "a write failed outside the announced downtime");
      assert.ok(writes.length - failures.length > 20, "the writer has not written");
      assert.deepEqual(lost, [], "acknowledged writes are lost");
      context.diagnostic(`${writes.length} writes, ${failures.length} failed in ${readyAt - approvedAt} ms`);
    },
  );
});

/** The Job of the page, with the Secret of this test and this image. */
async function documentedJob(image: string): Promise<Job> {
  const page = await readFile(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
  const text = [...page.matchAll(/```yaml\n(.*?)```/gs)].find(([block]) => block.includes("prepopulate-trace"))?.[1];
  assert.ok(text !== undefined, "docs/operations.md has no such Job");
  const replaced: readonly (readonly [string, string])[] = [
    ["tracking-store", `${name}-store`],
    [`ghcr.io/mlflow-operator/mlflow-server:${testedVersion}`, image],
  ];
  for (const [word] of replaced) assert.ok(text.includes(word), `the Job in docs/operations.md has no ${word}`);
  return load(replaced.reduce((all, [word, value]) => all.replaceAll(word, value), text)) as Job;
}
