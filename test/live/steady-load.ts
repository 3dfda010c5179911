import { setTimeout as sleep } from "node:timers/promises";
import type { Mlflow, MlflowAnswer } from "./mlflow.ts";

export interface Load {
  /** Ends the load and returns the number of requests with status 200, and the other results. */
  readonly end: () => Promise<{ readonly answered: number; readonly failed: readonly string[] }>;
}

/** Starts two clients that send one request after another: one with a new connection each time, one with keep-alive. */
export function steadyLoad(mlflow: Mlflow, path = "/api/2.0/mlflow/experiments/search?max_results=1"): Load {
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const note = ({ status, body }: MlflowAnswer) => {
    if (status === 200) answered += 1;
    else failed.push(`${status} ${body}`);
  };
  const client = async (headers: Readonly<Record<string, string>>) => {
    while (!isOver) {
      await mlflow.call("GET", path, { headers }).then(note, (error: unknown) => void failed.push(String(error)));
      await sleep(200);
    }
  };
  const running = Promise.all([client({ connection: "close" }), client({})]);
  return {
    end: async () => {
      isOver = true;
      await running;
      return { answered, failed };
    },
  };
}
