import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";

export interface Operator {
  /** Whether it has ended. */
  readonly isOver: () => boolean;
  readonly close: () => Promise<void>;
}

export interface OperatorOptions {
  readonly kubeconfigPath: string;
  /** The only namespace that it reconciles, so that it does not conflict with another operator. */
  readonly namespace: string;
  readonly logPath: string;
  readonly imageRepository?: string;
}

/** Starts the operator as a local process. */
export function startOperator({ kubeconfigPath, namespace, logPath, imageRepository }: OperatorOptions): Operator {
  const health = ["--health-address", "127.0.0.1", "--health-port", "0"];
  const scope = ["--watch-namespaces", namespace, "--lease-namespace", namespace, "--leader-elect", "false"];
  const image = imageRepository === undefined ? [] : ["--image-repository", imageRepository];
  const args = ["dist/mlflow-operator.js", "run", "--kubeconfig", kubeconfigPath, ...health, ...scope, ...image];
  // In a separate process group, so that Ctrl-C at the terminal does not end it before the demo.
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
