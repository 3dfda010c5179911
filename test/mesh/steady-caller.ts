import { waitUntil } from "../live/wait-until.ts";
import type { Caller, MeshRequest } from "./caller.ts";

/** One request after another by a pod in the mesh. */
export interface SteadyCaller {
  /** Stops it, and returns how many requests were answered with 200, and the time and result of the others. */
  readonly end: () => Promise<{ readonly answered: number; readonly failed: readonly string[] }>;
}

/** Requests a path that needs no credential, by default MLflow's health check, each time on a new connection; starts after the first answer. */
export async function steadily({ ask }: Caller, path = "/health"): Promise<SteadyCaller> {
  const asked: readonly MeshRequest[] = [{ method: "GET", path }];
  await waitUntil(async () => {
    const [outcome] = await ask(asked);
    if (outcome !== "200") throw new Error(`${path}: ${outcome}`);
  }, 120);
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const began = Date.now();
  const run = async () => {
    while (!isOver) {
      const [outcome = ""] = await ask(asked);
      if (outcome === "200") answered += 1;
      else failed.push(`${outcome} after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    }
  };
  const running = run();
  return {
    end: async () => {
      isOver = true;
      await running;
      return { answered, failed };
    },
  };
}
