import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessUsage, processUsage } from "../process-usage.ts";
import type { Counted } from "./counters.ts";

/** One implementation of the widget operator. */
export interface Entry {
  readonly name: string;
  readonly script: URL;
  readonly args: readonly string[];
}

/** An entry that runs, in a namespace of its own and as a user of its own, and is started again as a kubelet would. */
export interface Contestant {
  readonly name: string;
  readonly namespace: string;
  readonly user: string;
  /** How often it has ended since {@link calm}. */
  readonly exits: () => number;
  /** Forgets former ends, so that the next restart comes at once. */
  readonly calm: () => void;
  readonly counted: () => Promise<Counted>;
  readonly usage: () => ProcessUsage;
  readonly stop: () => Promise<void>;
}

/** The kubelet restarts a container at once, then after 10 s, and doubles that. */
const restartSeconds = (exits: number) => (exits <= 1 ? 0 : 10 * 2 ** (exits - 2));

/** Name of its service account, and the beginning of its namespaces' names. */
export const accountOf = (entry: Entry) => `bench-${entry.name.replaceAll(/[^a-z0-9]+/g, "-")}`;

/** The namespace of all service accounts. */
export const home = "bench";

export function contestant(
  entry: Entry,
  namespace: string,
  environment: Readonly<Record<string, string>>,
  logPath: string,
): Contestant {
  const log = openSync(logPath, "a");
  let exits = 0;
  let stopped = false;
  let child = start();

  function start(): ChildProcess {
    const env = { PATH: process.env["PATH"], HOME: "/nonexistent", ...environment };
    const started = fork(entry.script, [namespace, ...entry.args], { env, stdio: ["ignore", log, log, "ipc"] });
    started.on("exit", () => void restart());
    return started;
  }

  async function restart(): Promise<void> {
    if (stopped) return;
    exits += 1;
    await sleep(restartSeconds(exits) * 1000, undefined, { ref: false });
    if (!stopped) child = start();
  }

  return {
    name: entry.name,
    namespace,
    user: `system:serviceaccount:${home}:${accountOf(entry)}`,
    exits: () => exits,
    calm: () => {
      exits = 0;
    },
    counted: async () => {
      child.send("count");
      const [answer]: Counted[] = await once(child, "message");
      return answer ?? { events: Number.NaN, passes: Number.NaN };
    },
    usage: () => processUsage(child.pid ?? 0),
    stop: async () => {
      stopped = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
