import { patiently } from "../live/patiently.ts";
import type { Caller, MeshRequest } from "./caller.ts";

/** One request after another by a pod in the mesh. */
export interface SteadyCaller {
  /** Ends it, and tells how many were answered with 200, and what came of the others, and when. */
  readonly end: () => Promise<{ readonly answered: number; readonly failed: readonly string[] }>;
}

const health: readonly MeshRequest[] = [{ method: "GET", path: "/health" }];

/** Asks for the state of health, which needs no credential, each time on a connection of its own; begins when that is answered. */
export async function steadily({ ask }: Caller): Promise<SteadyCaller> {
  await patiently(async () => {
    const [outcome] = await ask(health);
    if (outcome !== "200") throw new Error(`/health: ${outcome}`);
  }, 120);
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const began = Date.now();
  const run = async () => {
    while (!isOver) {
      const [outcome = ""] = await ask(health);
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
