import { spawn } from "node:child_process";

/** The result of a program. `code` is 128 + the signal number, as in shells, if a signal ended it. */
export interface Completed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CompletedOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** Called with each line of stderr when it is written. */
  readonly onStderrLine?: (line: string) => void;
}

/**
 * Runs a program and returns its output, for any exit code.
 * Rejects only if it cannot be started, with code `ENOENT` if the program does not exist.
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
    // A program that ends without reading its input breaks the pipe; its exit code is reported instead.
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 143), stdout, stderr }));
  });
}

/** Like {@link completed}, but a non-zero exit code is an error with the command and its stderr. */
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
