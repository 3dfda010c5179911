import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";

export interface Operator {
  /** Whether it has ended. */
  readonly isOver: () => boolean;
  readonly close: () => Promise<void>;
}

export interface OperatorOptions {
  readonly kubeconfigPath: string;
  /** It works in this namespace alone, so that it is not in the way of another one. */
  readonly namespace: string;
  readonly logPath: string;
  readonly imageRepository?: string;
}

/** Starts the operator as a process of this machine. */
export function startOperator({ kubeconfigPath, namespace, logPath, imageRepository }: OperatorOptions): Operator {
  const health = ["--health-address", "127.0.0.1", "--health-port", "0"];
  const scope = ["--watch-namespaces", namespace, "--lease-namespace", namespace, "--leader-elect", "false"];
  const image = imageRepository === undefined ? [] : ["--image-repository", imageRepository];
  const args = ["dist/mlflow-operator.js", "run", "--kubeconfig", kubeconfigPath, ...health, ...scope, ...image];
  // In a group of its own, so that Ctrl-C at the terminal lets the demo end it, when it is no longer needed.
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const file = createWriteStream(logPath);
  child.stdout?.pipe(file);
  child.stderr?.pipe(file);
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  return {
    isOver,
    close: async () => {
      if (!isOver()) child.kill("SIGTERM");
      await exit;
    },
  };
}
