import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "./eventually.ts";
import type { OperatorIdentity } from "./operator-identity.ts";
import type { LogLine } from "./operator-in-process.ts";

/** How a process ended: by itself with a code, or by a signal. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `mlflow-operator run` in another process. */
export interface OperatorProcess {
  readonly pid: number;
  /** Parsed lines of stdout; throws for a line that is not JSON. */
  readonly log: () => readonly LogLine[];
  /** Output so far, stdout and stderr. */
  readonly output: () => string;
  /** Waits for a log line with this message and returns it; rejects if the process ends without it. */
  readonly logged: (message: RegExp) => Promise<LogLine>;
  /** GET on its health port: status, content type, body. */
  readonly get: (path: string) => Promise<{ status: number; contentType: string; body: string }>;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ending>;
}

const root = join(import.meta.dirname, "../..");

/** Environment variable with the built program, if the test command has built it: it starts with a third of the CPU time. */
export const operatorProgramVariable = "MLFLOW_OPERATOR_TEST_PROGRAM";

/**
 * Starts the operator with its identity, without leader election unless it is in `args`, and without the environment of
 * this process. It is killed at the end of the test.
 */
export function operatorProcess(
  context: TestContext,
  kubeconfig: string,
  identity: OperatorIdentity,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): OperatorProcess {
  const given = [
    `--kubeconfig=${kubeconfig}`,
    `--lease-namespace=${identity.namespace}`,
    "--leader-elect=false",
    "--grace-period=0",
    "--health-address=127.0.0.1",
    "--health-port=0",
    "--image-repository=registry.example.com/mlflow-server",
  ];
  const child = spawn(
    process.execPath,
    [process.env[operatorProgramVariable] ?? join(root, "src/main.ts"), "run", ...given, ...args],
    {
      cwd: root,
      // With the shared compile cache: tests start many processes, and a killed one does not write its cache.
      env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"], ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let isOver = false;
  const ended = new Promise<Ending>((resolve) =>
    child.on("close", (code, signal) => {
      isOver = true;
      resolve({ code, signal });
    }),
  );
  const log = () => stdout.split("\n").slice(0, -1).map(parsed);
  const logged = async (message: RegExp) => {
    const failureMessage = () => `the operator has not logged ${message}: ${stdout}${stderr}`;
    const line = await eventually(() => {
      const found = log().find((candidate) => message.test(candidate.message));
      assert.ok(found !== undefined || isOver, failureMessage());
      return found;
    });
    assert.ok(line !== undefined, failureMessage());
    return line;
  };
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
      // The server may close a persistent connection while it is reused.
      const answer = await fetch(`http://127.0.0.1:${healthPort}${path}`, { headers: { connection: "close" } });
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
