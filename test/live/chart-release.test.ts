import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommand } from "../support/command-line.ts";
import { releaseName, releaseValues, startChartRelease } from "./chart-release.ts";
import { type Login, liveFixture } from "./live-fixture.ts";
import type { Mlflow } from "./mlflow.ts";
import { grant } from "./permission-matrix.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { startS3 } from "./s3-server.ts";
import { assertKept, logRun, type TrackedRun } from "./tracked-run.ts";

const ada: Login = { username: "ada", password: "of-ada-1234567" };
const bob: Login = { username: "bob", password: "of-bob-1234567" };

test("a release of the community chart becomes a server with its users, runs and artifacts", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const release = await startChartRelease(fixture, postgresql);
  const run = await logRun(release.admin);
  for (const body of [ada, bob]) await release.admin.json("POST", "/api/2.0/mlflow/users/create", body);
  const experiment = { type: "experiment", id: experimentOf(run) } as const;
  assert.equal((await grant(release.admin, ada.username, experiment, "READ")).status, 200);

  const assertUnchanged = async (mlflow: Mlflow) => {
    for (const login of [release.login, ada]) await assertKept(mlflow.as({ login }), run);
    const status = async (login: Login, method: string, path: string, body?: unknown) =>
      (await mlflow.as({ login }).call(method, path, { body })).status;
    const [read, write] = [`/api/2.0/mlflow/runs/get?run_id=${run.runId}`, "/api/2.0/mlflow/runs/create"];
    assert.equal(await status(ada, "POST", write, { experiment_id: experiment.id, start_time: 1 }), 403);
    assert.equal(await status(bob, "GET", read), 403);
    assert.equal(await status({ ...ada, password: bob.password }, "GET", read), 401);
  };
  await assertUnchanged(release.admin);
  await release.uninstall();

  const args = ["convert", "--from", "community", "--release", releaseName, "-o", "json", "-"];
  const { code, stdout, stderr } = await runCommand(args, { stdin: JSON.stringify(releaseValues) });
  assert.equal(code, 0, stderr);
  const { manifest, secrets } = JSON.parse(stdout);
  for (const { name } of secrets) await fixture.objects.the("Secret", name);
  await fixture.apply({ metadata: manifest.metadata, spec: manifest.spec });
  await fixture.ready(releaseName);
  // The Secret of the administrator has keys of the release.
  const admin = (await fixture.asAnonymous(releaseName)).as({ login: release.login });
  await assertUnchanged(admin);
  await assertKept(admin, await logRun(admin));
});

/** The experiment of a run, which is the first folder of its artifacts. */
function experimentOf({ artifactPath }: TrackedRun): string {
  const id = /\/artifacts\/(\d+)\//.exec(artifactPath)?.[1];
  assert.ok(id !== undefined, artifactPath);
  return id;
}
