import { spawn } from "node:child_process";

/** What a program that ended left behind. `code` is 128 + the signal's number, as shells have it, when a signal ended it. */
export interface Completed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CompletedOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** Called with each line the program writes to stderr, as it comes. */
  readonly onStderrLine?: (line: string) => void;
}

/**
 * Runs a program to its end and gives its output, whatever its exit code.
 * Rejects only if it cannot be started; the error has code `ENOENT` when there is no such program.
 */
export function completed(
  program: string,
  args: readonly string[],
  options: CompletedOptions = {},
): Promise<Completed> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    let line = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (!options.onStderrLine) return;
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const whole of lines) options.onStderrLine(whole);
    });
    // A program that ends without reading its input breaks the pipe; its exit code tells that story better.
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 143), stdout, stderr }));
  });
}

/** As {@link completed}, but a non-zero exit is an error that names the command and quotes what it wrote to stderr. */
export async function succeeded(
  program: string,
  args: readonly string[],
  options: CompletedOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await completed(program, args, options);
  if (code === 0) return stdout;
  throw new Error(
    `"${program} ${args.join(" ")}" ended with code ${code}: ${stderr.trim() || stdout.trim() || "no output"}`,
  );
}
