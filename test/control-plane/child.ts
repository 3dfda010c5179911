import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A program of the control plane that runs in the background. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** File for its output, appended after restarts. */
  readonly logPath: string;
  /** How it ended; undefined while it runs. */
  readonly ending: () => string | undefined;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Sends a signal and waits for its end; SIGKILL after `timeoutMilliseconds`. */
  readonly end: (signal: NodeJS.Signals, timeoutMilliseconds?: number) => Promise<void>;
}

/**
 * Go's garbage collector runs less often as long as a program uses less than 2 GiB. With the default it takes a quarter of the
 * CPU time of kube-apiserver.
 */
export const fewerCollections = { GOGC: "800", GOMEMLIMIT: "2GiB" } as const;

/**
 * Starts `program` with its output in `<directory>/<name>.log` and its pid recorded in `<directory>/pids/`, where
 * {@link createTemporaryDirectory} finds it. It does not keep this process running.
 */
export async function startChild(
  directory: string,
  name: string,
  program: string,
  args: readonly string[],
): Promise<Child> {
  const logPath = join(directory, `${name}.log`);
  const pidPath = join(directory, "pids", name);
  const log = openSync(logPath, "a", 0o600);
  // A separate process group, so that Ctrl-C at the terminal ends this process first.
  const child = spawn(program, args, {
    stdio: ["ignore", log, log],
    detached: true,
    env: { PATH: process.env["PATH"], ...fewerCollections },
  });
  closeSync(log);
  let ending: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.on("exit", (code, signal) => {
      ending = signal ? `was ended by ${signal}` : `ended with code ${code}`;
      resolve();
    });
    child.on("error", (error) => {
      ending = `could not be started: ${error.message}`;
      resolve();
    });
  });
  const { pid } = child;
  if (pid === undefined) {
    await ended;
    throw new Error(`${name} ${ending ?? "could not be started"}.`);
  }
  child.unref();
  await writeFile(pidPath, `${pid}\n`);
  return {
    name,
    pid,
    logPath,
    ending: () => ending,
    signal: (signal) => void (ending === undefined && child.kill(signal)),
    end: async (signal, timeoutMilliseconds = 10_000) => {
      child.ref();
      if (ending === undefined) child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMilliseconds);
      await ended;
      clearTimeout(timer);
      await rm(pidPath, { force: true });
    },
  };
}

/** Returns a message with how `child` ended and its last output. */
export async function endingText(child: Child): Promise<string> {
  const lines = (await readFile(child.logPath, "utf8")).trimEnd().split("\n");
  return `${child.name} ${child.ending() ?? "still runs"}. Its last output:\n${lines.slice(-15).join("\n")}`;
}
