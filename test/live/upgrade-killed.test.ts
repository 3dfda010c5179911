import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { seededRandom } from "../support/seeded-random.ts";
import { createBackupClaim, endedBackup } from "./backup-claim.ts";
import { copySpans } from "./copied-spans.ts";
import { killableOperator } from "./killable-operator.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { type LiveFixture, liveFixture } from "./live-fixture.ts";
import { logSpans } from "./many-spans.ts";
import { basicOn, startPostgresql } from "./postgresql-server.ts";
import { steadyWriter } from "./steady-writer.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { trackingContent } from "./tracking-content.ts";
import { killDuringUpgrade } from "./upgrade-kills.ts";
import { observeUpgrade } from "./upgrade-observer.ts";
import { outagesOf } from "./upgrade-outages.ts";

const name = "killed";
const logged = { traces: 500, spansOfTrace: 20 };
/** Ten times as many are 100,000 spans. */
const copies = 9;

test("an upgrade with 100,000 spans, killed ten times: data equal, no write lost, downtime only as announced", {
  timeout: 3_000_000,
}, async (context) => {
  const seed = Number(process.env["MLFLOW_OPERATOR_TEST_SEED"] ?? randomInt(1_000_000));
  context.diagnostic(`MLFLOW_OPERATOR_TEST_SEED=${seed}`);
  const fixture = await liveFixture(context);
  const { objects } = fixture;
  await imageReference(fixture.cluster, `mlflow-server:${oldestVersion}`);
  const postgresql = await startPostgresql(fixture);
  const { destination, pathOf } = await createBackupClaim(fixture);
  const spec = {
    version: oldestVersion,
    server: { workers: 2 },
    ...basicOn(postgresql),
    artifactStore: { persistentVolume: { size: "1Gi" } },
    upgrade: { backup: { scheduleRef: { name: "nightly" } } },
  };
  await objects.create("MlflowBackupSchedule", {
    metadata: { name: "nightly" },
    spec: { serverRef: { name }, schedule: "0 3 * * *", suspend: true, destination },
  });
  await fixture.apply({ metadata: { name }, spec });
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);
  const run = await logRun(admin);
  const since = (time: number) => `${((Date.now() - time) / 1000).toFixed(1)} s`;
  const filling = Date.now();
  await logSpans(admin, run.experimentId, logged);
  const copied = await copySpans(postgresql, run.experimentId, copies);
  context.diagnostic(`100,000 spans stored in ${since(filling)}`);

  const operator = await killableOperator(context, fixture);
  const writer = await steadyWriter(admin);
  const before = await trackingContent(postgresql, "3.16", writer.experimentId);
  assert.match(before["spans"] ?? "", /^100000 /);
  const { observed, stop } = observeUpgrade(fixture, name, testedVersion);
  const began = Date.now();
  await fixture.apply({ metadata: { name }, spec: { ...spec, version: testedVersion } });
  const kills = await killDuringUpgrade({ fixture, operator, observed, random: seededRandom(seed) });
  for (const { at, phase, target, how } of kills)
    context.diagnostic(`${((at - began) / 1000).toFixed(1)} s, ${phase ?? "after the upgrade"}: ${target} ${how}`);
  const { status } = await fixture.ready(name, 1200);
  await stop();
  const { phases, stoppedAt, doneAt } = observed();
  const times = [...phases].map(([phase, at]) => `${phase} ${((at - began) / 1000).toFixed(1)} s`);
  context.diagnostic(`phases: ${times.join(", ")}, Ready ${(((doneAt ?? 0) - began) / 1000).toFixed(1)} s`);
  context.diagnostic(`the migration took ${await secondsOfMigration(fixture, status?.migration?.job ?? "")} s`);
  assert.deepEqual([status?.version, status?.upgrade], [testedVersion, undefined]);
  assert.deepEqual(await trackingContent(postgresql, "3.17", writer.experimentId), before);
  await assertKept(admin, run);
  const { trace } = await admin.json("GET", `/api/3.0/mlflow/traces/get?trace_id=${copied}`);
  const spans = typeof trace === "object" && trace !== null && "spans" in trace ? trace.spans : undefined;
  assert.ok(Array.isArray(spans) && spans.length === logged.spansOfTrace, "a trace cannot be read");

  const { writes, lost } = await writer.end();
  assert.deepEqual(lost, [], "acknowledged writes are lost");
  assert.ok(stoppedAt !== undefined && doneAt !== undefined, "the pods were not stopped");
  const { downtimeSeconds, unexplained } = outagesOf(writes, kills, { from: stoppedAt, to: doneAt });
  assert.deepEqual(unexplained, [], "writes failed outside the announced downtime");
  const failed = writer.failures().length;
  context.diagnostic(
    `${writes.length} writes, ${failed} failed; the longest outage was ${downtimeSeconds.toFixed(1)} s`,
  );

  const backups = (await objects.list("MlflowBackup")).filter(({ status }) => status?.phase === "Completed");
  const [backup] = backups;
  assert.ok(backup !== undefined && backups.length === 1, "there is not one complete backup");
  assert.equal(backup.status?.mlflowVersion, oldestVersion);
  const existing = { path: pathOf(backup) };
  await objects.create("MlflowBackup", {
    metadata: { name: "verified" },
    spec: { serverRef: { name }, existing, destination },
  });
  assert.equal((await endedBackup(fixture, "verified")).status?.phase, "Completed");
});

/** Returns the seconds of the program that completed the migration. */
async function secondsOfMigration({ objects }: LiveFixture, job: string): Promise<number> {
  const pods = (await objects.list("Pod")).filter(({ metadata }) => metadata.labels?.["job-name"] === job);
  const ends = pods.flatMap(({ status }) => status?.containerStatuses?.map(({ state }) => state?.terminated) ?? []);
  const end = ends.find((each) => each?.exitCode === 0);
  return (Date.parse(String(end?.finishedAt)) - Date.parse(String(end?.startedAt))) / 1000;
}
