import { runCommandLine } from "../../src/cli/command-line.ts";
import type { UserEnvironment } from "../../src/cli/context.ts";

/** What a command printed, and its exit code. */
export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandInput {
  readonly stdin?: string;
  readonly now?: Date;
  /** Default: none of this process. */
  readonly environment?: UserEnvironment;
  /** The name by which the program is called. */
  readonly name?: string;
  /** Ends a command that watches. */
  readonly interruption?: AbortSignal;
  /** Called with each text on stdout. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a command of the command line in this process. */
export async function runCommand(args: readonly string[], input: CommandInput = {}): Promise<CommandOutput> {
  const { stdin = "", now = new Date("2026-06-01T00:00:00Z"), environment = {}, name = "mlflow-operator" } = input;
  let stdout = "";
  let stderr = "";
  const code = await runCommandLine(args, {
    name,
    version: "test",
    streams: {
      stdin: async () => stdin,
      stdout: (text) => {
        stdout += text;
        input.onOutput?.(text);
      },
      stderr: (line) => {
        stderr += `${line}\n`;
      },
    },
    now: () => now,
    environment,
    interruption: () => input.interruption ?? new AbortController().signal,
    operator: { addOptions: () => {}, run: () => Promise.reject(new Error("a test runs no operator here")) },
  });
  return { code, stdout, stderr };
}
