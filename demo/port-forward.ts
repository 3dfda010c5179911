import { spawn } from "node:child_process";
import type { DemoCluster } from "./demo-cluster.ts";

/** A local port that is forwarded to a Service. */
export interface Forwarding {
  readonly port: number;
  readonly close: () => void;
}

export function portForward(
  { kubectlProgram, kubeconfigPath }: DemoCluster,
  namespace: string,
  service: string,
  port: number,
): Promise<Forwarding> {
  const target = ["--namespace", namespace, `service/${service}`, `:${port}`];
  const args = ["--kubeconfig", kubeconfigPath, "port-forward", "--address", "127.0.0.1", ...target];
  const child = spawn(kubectlProgram, args, { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let output = "";
    const collect = (text: string) => {
      output += text;
      const local = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
      if (local !== undefined) resolve({ port: Number(local), close: () => void child.kill("SIGTERM") });
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`kubectl port-forward ended: ${output.trim()}`)));
  });
}
