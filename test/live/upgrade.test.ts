import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { label } from "../../src/kube/names.ts";
import { archivePath } from "../cluster/image-archive.ts";
import { imageNamed } from "../cluster/image-catalogue.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { liveScene } from "./live-scene.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";

const name = "older";
const oldVersion = "3.16.1";
const oldImage = `mlflow-server:${oldVersion}` as const;

/** Its build takes many minutes, so the test waits for none. */
const lacksImage =
  !existsSync(await archivePath(imageNamed(oldImage))) &&
  `the image ${oldImage} has not been built: node test/cluster/cluster.ts up ${oldImage}`;

test("an upgrade keeps the data, and starts no new pod before the migration", {
  timeout: 900_000,
  skip: lacksImage,
}, async (context) => {
  const scene = await liveScene(context);
  await imageReference(scene.cluster, oldImage);
  const postgresql = await startPostgresql(scene);
  const spec = {
    version: oldVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: { database: { postgresql: postgresql.database("mlflow_auth") } } },
  };
  await scene.apply({ metadata: { name }, spec });
  await scene.ready(name);
  const admin = await scene.asAdmin(name);
  const run = await logRun(admin);
  const before = (await scene.objects.list("Job")).map(({ metadata }) => metadata.name);

  await scene.apply({ metadata: { name }, spec: { ...spec, version: testedVersion } });
  const { status } = await scene.ready(name);
  assert.equal(status?.version, testedVersion);
  await assertKept(admin, run);

  const jobs = (await scene.objects.list("Job")).filter(({ metadata }) => !before.includes(metadata.name));
  assert.equal(jobs.length, 1, "there was not one migration");
  assert.equal(jobs[0]?.status?.succeeded, 1);
  const pods = await scene.pods(name);
  assert.ok(pods.length > 0);
  for (const { metadata } of pods) {
    assert.equal(metadata.labels?.[label.version], testedVersion);
    assert.ok(String(metadata.creationTimestamp) >= String(jobs[0]?.status?.completionTime), "a pod was too early");
  }
});
