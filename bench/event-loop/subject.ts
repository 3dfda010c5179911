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

/** A running implementation with its own namespace and user, which is restarted as by the kubelet. */
export interface Subject {
  readonly name: string;
  readonly namespace: string;
  readonly user: string;
  /** Number of exits since {@link resetExits}. */
  readonly exits: () => number;
  /** Resets the number of exits, so that the next restart is immediate. */
  readonly resetExits: () => void;
  readonly counted: () => Promise<Counted>;
  readonly usage: () => ProcessUsage;
  readonly stop: () => Promise<void>;
}

/** The kubelet restarts a container immediately, then after 10 s, and doubles the delay. */
const restartSeconds = (exits: number) => (exits <= 1 ? 0 : 10 * 2 ** (exits - 2));

/** Name of its service account and prefix of its namespaces. */
export const accountOf = (entry: Entry) => `bench-${entry.name.replaceAll(/[^a-z0-9]+/g, "-")}`;

/** The namespace of all service accounts. */
export const home = "bench";

export function subject(
  entry: Entry,
  namespace: string,
  environment: Readonly<Record<string, string>>,
  logPath: string,
): Subject {
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
    resetExits: () => {
      exits = 0;
    },
    counted: async () => {
      child.send("count");
      const [answer]: Counted[] = await once(child, "message");
      return answer ?? { events: Number.NaN, reconciliations: Number.NaN };
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
