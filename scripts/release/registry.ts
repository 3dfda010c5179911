import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { craneProgram } from "./tools.ts";

/** A registry without TLS and credentials on the loopback interface, for a release that is only tried. Its content is in memory. */
export interface LocalRegistry {
  readonly port: number;
  readonly process: ChildProcess;
}

/** Starts the registry; port 0 is any free port. It ends with `process.kill()`. */
export async function startRegistry(port: number): Promise<LocalRegistry> {
  const args = ["registry", "serve", "--address", `127.0.0.1:${port}`];
  const process = spawn(await craneProgram(), args, { stdio: ["ignore", "ignore", "pipe"] });
  const printed: string[] = [];
  for await (const line of createInterface({ input: process.stderr })) {
    printed.push(line);
    const chosen = /serving on port (\d+)/.exec(line)?.[1];
    if (chosen === undefined) continue;
    process.stderr.resume();
    return { port: Number(chosen), process };
  }
  throw new Error(`crane registry serve ended: ${printed.join("\n")}`);
}
