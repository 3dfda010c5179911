import assert from "node:assert/strict";
import type { Mlflow } from "./mlflow.ts";
import { spanOf, traceIdOf } from "./span.ts";
import { logRun } from "./tracked-run.ts";

const api = "/api/2.0/mlflow";
const artifacts = "/api/2.0/mlflow-artifacts/artifacts";

/** A run or an experiment that was deleted in MLflow. */
export interface Deleted {
  /** SQL for the number of its rows: of the run, or of the experiment, its traces and spans. */
  readonly count: string;
  /** SQL that makes its deletion two hours older. */
  readonly age: string;
  /** The folder of its artifacts in the store: MLflow's plugin for OpenID Connect denies access to those of an experiment that does not exist. */
  readonly folder: string;
}

/** Logs a run with an artifact, and deletes it. */
export async function deletedRun(mlflow: Mlflow): Promise<Deleted> {
  const { runId, artifactPath } = await logRun(mlflow);
  await mlflow.json("POST", `${api}/runs/delete`, { run_id: runId });
  return {
    count: `SELECT count(*) FROM mlflow.runs WHERE run_uuid = '${runId}';`,
    age: `UPDATE mlflow.runs SET deleted_time = deleted_time - 7200000 WHERE run_uuid = '${runId}';`,
    folder: artifactPath.slice(`${artifacts}/`.length, artifactPath.lastIndexOf("/")),
  };
}

/** Logs a trace with an artifact in a new experiment, and deletes the experiment. */
export async function deletedExperiment(mlflow: Mlflow, name: string): Promise<Deleted> {
  const { experiment_id: id } = await mlflow.json("POST", `${api}/experiments/create`, { name });
  assert.ok(typeof id === "string");
  const span = spanOf("of a deleted experiment");
  const headers = { "x-mlflow-experiment-id": id };
  const sent = await mlflow.call("POST", "/v1/traces", { body: span, headers });
  assert.equal(sent.status, 200, sent.body);
  const folder = `${id}/traces/tr-${traceIdOf(span)}/artifacts`;
  const uploaded = await mlflow.call("PUT", `${artifacts}/${folder}/traces.json`, { body: "{}" });
  assert.equal(uploaded.status, 200, uploaded.body);
  await mlflow.json("POST", `${api}/experiments/delete`, { experiment_id: id });
  const rows = (table: string) => `(SELECT count(*) FROM mlflow.${table} WHERE experiment_id = ${id})`;
  return {
    count: `SELECT ${rows("experiments")} + ${rows("trace_info")} + ${rows("spans")};`,
    age: `UPDATE mlflow.experiments SET last_update_time = last_update_time - 7200000 WHERE experiment_id = ${id};`,
    folder,
  };
}
