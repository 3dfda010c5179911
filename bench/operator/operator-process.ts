import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { type ProcessUsage, processUsage } from "../process-usage.ts";
import { podEnvironment } from "../service-account.ts";
import { shippedCommand } from "../shipped-command.ts";
import { home } from "./installation.ts";

/** The released bundle in a separate process, with the settings of a pod of the image. */
export interface OperatorProcess {
  readonly account: string;
  readonly usage: () => ProcessUsage;
  /** Median of the resident memory over 5 s, in bytes. */
  readonly restingRss: () => Promise<number>;
  /** Whether it has logged that it is the leader. */
  readonly leads: () => boolean;
  /** Address of its inspector, if requested. */
  readonly inspector: () => string | undefined;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>;
}

export interface OperatorProcessOptions {
  readonly bundle: string;
  readonly account: string;
  /** URL of the API server or a proxy in front of it. */
  readonly server: string;
  readonly logPath: string;
  readonly inspect?: boolean;
}

/** Starts the operator. Resolves when its watches are synced. */
export async function operatorProcess(
  cluster: ClusterAccess,
  options: OperatorProcessOptions,
): Promise<OperatorProcess> {
  const { bundle, account, server, logPath, inspect = false } = options;
  const environment = await podEnvironment(cluster, home, account, server);
  const shipped = shippedCommand();
  const args = [...shipped.options, ...(inspect ? ["--inspect=127.0.0.1:0"] : []), bundle, "run"];
  const child = spawn(process.execPath, [...args, "--health-address", "127.0.0.1", "--health-port", "0"], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...shipped.environment, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Operators are killed when the bench exits.
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(child, "exit").then(() => process.off("exit", kill));
  const log = createWriteStream(logPath, { flags: "a" });
  let inspector: string | undefined;
  let isSynced = false;
  let leads = false;
  createInterface(child.stdout).on("line", (line) => {
    log.write(`${line}\n`);
    if (line.includes("all watches are synced")) isSynced = true;
    if (line.includes("this process is the leader")) leads = true;
  });
  createInterface(child.stderr).on("line", (line) => {
    log.write(`${line}\n`);
    inspector ??= /ws:\/\/\S+/.exec(line)?.[0];
  });
  const pid = child.pid ?? 0;
  while (!isSynced) {
    if (child.exitCode !== null) throw new Error(`The operator ended with code ${child.exitCode}: see ${logPath}.`);
    await sleep(50);
  }
  return {
    account,
    usage: () => processUsage(pid),
    restingRss: async () => {
      const samples: number[] = [];
      for (let n = 0; n < 11; n += 1) {
        samples.push(processUsage(pid).rssBytes);
        await sleep(500);
      }
      return samples.sort((a, b) => a - b)[5] ?? Number.NaN;
    },
    leads: () => leads,
    inspector: () => inspector,
    signal: (signal) => void child.kill(signal),
    ended,
  };
}
