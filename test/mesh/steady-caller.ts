import type { Caller } from "./caller.ts";

/** One request after another by a pod in the mesh. */
export interface SteadyCaller {
  /** Ends it, and tells how often each thing came of them. */
  readonly end: () => Promise<Readonly<Record<string, number>>>;
}

/** Asks for the state of health, which needs no credential, each time on a connection of its own. */
export function steadily({ ask }: Caller): SteadyCaller {
  const outcomes: Record<string, number> = {};
  let isOver = false;
  const run = async () => {
    while (!isOver)
      for (const outcome of await ask([{ method: "GET", path: "/health" }]))
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const running = run();
  return {
    end: async () => {
      isOver = true;
      await running;
      return outcomes;
    },
  };
}
