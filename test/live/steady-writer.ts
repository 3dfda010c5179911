import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Mlflow } from "./mlflow.ts";
import { spanOf, traceIdOf } from "./span.ts";
import { logRun } from "./tracked-run.ts";

/** One request that writes. Times are in milliseconds since 1970. */
export interface Write {
  readonly began: number;
  readonly ended: number;
  /** Undefined if the write was acknowledged. */
  readonly error?: string;
}

export interface SteadyWriter {
  readonly experimentId: string;
  /** The writes so far that have failed. */
  readonly failures: () => readonly Write[];
  /** Ends the writes. Returns them in the order in which they began, and what was acknowledged and is not stored. */
  readonly end: () => Promise<{ readonly writes: readonly Write[]; readonly lost: readonly string[] }>;
}

const api = "/api/2.0/mlflow";

/** Starts a client that logs one metric after another and, each fifth time, a run or a span instead. */
export async function steadyWriter(mlflow: Mlflow): Promise<SteadyWriter> {
  const { runId, experimentId } = await logRun(mlflow);
  const writes: Write[] = [];
  const acknowledged = { steps: new Set<number>(), runs: new Set<string>(), traces: new Set<string>() };
  let isOver = false;

  const logMetric = async (step: number) => {
    const body = { run_id: runId, key: "steps", value: step, timestamp: Date.now(), step };
    await mlflow.json("POST", `${api}/runs/log-metric`, body);
    acknowledged.steps.add(step);
  };
  const createRun = async () => {
    const { run } = await mlflow.json("POST", `${api}/runs/create`, { experiment_id: experimentId, start_time: 1 });
    acknowledged.runs.add(/"run_id":"([0-9a-f]{32})"/.exec(JSON.stringify(run))?.[1] ?? "without an ID");
  };
  const logSpan = async () => {
    const body = spanOf("steady");
    const headers = { "x-mlflow-experiment-id": experimentId };
    const { status } = await mlflow.call("POST", "/v1/traces", { body, headers });
    if (status !== 200) throw new Error(`a span: ${status}`);
    acknowledged.traces.add(`tr-${traceIdOf(body)}`);
  };
  const write = (step: number) => (step % 5 !== 4 ? logMetric(step) : step % 10 === 4 ? createRun() : logSpan());

  const pending: Promise<void>[] = [];
  const running = (async () => {
    for (let step = 0; !isOver; step += 1) {
      const began = Date.now();
      const sent = write(step).then(
        () => void writes.push({ began, ended: Date.now() }),
        (error: unknown) => void writes.push({ began, ended: Date.now(), error: String(error) }),
      );
      pending.push(sent);
      // Without pods the Service may not answer at all.
      await Promise.race([sent, sleep(5000)]);
      await sleep(200);
    }
  })();

  const isStored = async (path: string) => (await mlflow.call("GET", path)).status === 200;
  return {
    experimentId,
    failures: () => writes.filter(({ error }) => error !== undefined),
    end: async () => {
      isOver = true;
      await running;
      await Promise.all(pending);
      const history = `${api}/metrics/get-history?run_id=${runId}&metric_key=steps&max_results=25000`;
      const { metrics = [] } = await mlflow.json("GET", history);
      assert.ok(Array.isArray(metrics));
      const stored = new Set(metrics.map(({ step }) => Number(step ?? 0)));
      const lost = [...acknowledged.steps].filter((step) => !stored.has(step)).map((step) => `step ${step}`);
      for (const run of acknowledged.runs)
        if (!(await isStored(`${api}/runs/get?run_id=${run}`))) lost.push(`run ${run}`);
      for (const trace of acknowledged.traces)
        if (!(await isStored(`/api/3.0/mlflow/traces/${trace}`))) lost.push(`trace ${trace}`);
      return { writes: writes.toSorted((one, other) => one.began - other.began), lost };
    },
  };
}
