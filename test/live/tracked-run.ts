import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Mlflow } from "./mlflow.ts";

/** A logged run with one metric and one artifact. */
export interface TrackedRun {
  readonly runId: string;
  readonly experimentId: string;
  /** Path of the artifact at MLflow's proxy. */
  readonly artifactPath: string;
  readonly content: string;
}

/** Logs a run in a new experiment, as MLflow's client does over HTTP. */
export async function logRun(mlflow: Mlflow): Promise<TrackedRun> {
  const mark = randomUUID();
  const api = "/api/2.0/mlflow";
  const { experiment_id } = await mlflow.json("POST", `${api}/experiments/create`, { name: `experiment ${mark}` });
  const { run } = await mlflow.json("POST", `${api}/runs/create`, { experiment_id, start_time: 1 });
  const { run_id: runId, artifact_uri: artifactUri } = infoOf(run);
  await mlflow.json("POST", `${api}/runs/log-metric`, { run_id: runId, key: "loss", value: 0.25, timestamp: 1 });
  // The URI of a proxied store is mlflow-artifacts:/<path>; the actual location is not visible to clients.
  assert.match(artifactUri, /^mlflow-artifacts:\//, "clients access the artifact store directly");
  const artifactPath = `/api/2.0/mlflow-artifacts/artifacts${new URL(artifactUri).pathname}/note.txt`;
  const content = `kept for ${mark}\n`;
  const sent = await mlflow.call("PUT", artifactPath, { body: content });
  assert.equal(sent.status, 200, sent.body);
  assert.ok(typeof experiment_id === "string");
  return { runId, experimentId: experiment_id, artifactPath, content };
}

/** Asserts that the run exists, with its metric and its artifact. */
export async function assertKept(mlflow: Mlflow, { runId, artifactPath, content }: TrackedRun): Promise<void> {
  const { run } = await mlflow.json("GET", `/api/2.0/mlflow/runs/get?run_id=${runId}`);
  assert.ok(typeof run === "object" && run !== null && "data" in run, "the run does not exist");
  assert.match(JSON.stringify(run.data), /"key":"loss","value":0\.25/);
  const fetched = await mlflow.call("GET", artifactPath);
  assert.deepEqual([fetched.status, fetched.body], [200, content]);
}

function infoOf(run: unknown): { run_id: string; artifact_uri: string } {
  const info = typeof run === "object" && run !== null && "info" in run ? run.info : undefined;
  assert.ok(
    typeof info === "object" && info !== null && "run_id" in info && "artifact_uri" in info,
    "no run was created",
  );
  const { run_id, artifact_uri } = info;
  assert.ok(typeof run_id === "string" && typeof artifact_uri === "string");
  return { run_id, artifact_uri };
}
