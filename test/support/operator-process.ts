import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "./eventually.ts";
import type { OperatorIdentity } from "./operator-identity.ts";
import type { LogLine } from "./operator-in-process.ts";

/** How a process ended: by itself with a code, or by a signal. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `mlflow-operator run` in a process of its own. */
export interface OperatorProcess {
  readonly pid: number;
  /** What it wrote to stdout so far, each line parsed: one that is not JSON throws. */
  readonly log: () => readonly LogLine[];
  /** All that it wrote so far, to stdout and stderr. */
  readonly output: () => string;
  /** Waits for a line of the log with this message, and gives it. */
  readonly logged: (message: RegExp, seconds?: number) => Promise<LogLine>;
  /** GET on its health port: status, content type, body. */
  readonly get: (path: string) => Promise<{ status: number; contentType: string; body: string }>;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ending>;
}

const root = join(import.meta.dirname, "../..");

/**
 * Starts the operator as its identity, without leader election unless `args` ask for it, and with none of this
 * process's environment. It does not outlive the test.
 */
export function operatorProcess(
  context: TestContext,
  kubeconfig: string,
  identity: OperatorIdentity,
  args: readonly string[] = [],
): OperatorProcess {
  const given = [
    `--kubeconfig=${kubeconfig}`,
    `--lease-namespace=${identity.namespace}`,
    "--leader-elect=false",
    "--health-address=127.0.0.1",
    "--health-port=0",
    "--image-repository=registry.example.com/mlflow-server",
  ];
  const child = spawn(process.execPath, [join(root, "src/main.ts"), "run", ...given, ...args], {
    cwd: root,
    // Compiled code is kept beside the kubeconfig: many tests start many of these.
    env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: join(dirname(kubeconfig), "compile-cache") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ending>((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
  const log = () => stdout.split("\n").slice(0, -1).map(parsed);
  const logged = (message: RegExp, seconds = 60) =>
    eventually(() => {
      const line = log().find((candidate) => message.test(candidate.message));
      assert.ok(line !== undefined, `the operator has not logged ${message}: ${stdout}${stderr}`);
      return line;
    }, seconds);
  context.after(async () => {
    child.kill("SIGKILL");
    await ended;
    if (!context.passed) for (const line of `${stdout}${stderr}`.split("\n").slice(-40)) context.diagnostic(line);
  });
  assert.ok(child.pid !== undefined, "node cannot be started");
  return {
    pid: child.pid,
    log,
    logged,
    output: () => `${stdout}${stderr}`,
    get: async (path) => {
      const { healthPort } = await logged(/^the operator has started$/);
      const answer = await fetch(`http://127.0.0.1:${healthPort}${path}`);
      const contentType = answer.headers.get("content-type") ?? "";
      return { status: answer.status, contentType, body: await answer.text() };
    },
    signal: (signal) => void child.kill(signal),
    ended,
  };
}

function parsed(line: string): LogLine {
  return JSON.parse(line);
}
