import { spawn } from "node:child_process";
import type { Ground } from "./ground.ts";

/** A port of this machine's loopback that leads to a Service. */
export interface Forwarding {
  readonly port: number;
  readonly close: () => void;
}

export function portForward(
  { kubectlProgram, kubeconfigPath }: Ground,
  namespace: string,
  service: string,
  port: number,
): Promise<Forwarding> {
  const target = ["--namespace", namespace, `service/${service}`, `:${port}`];
  const args = ["--kubeconfig", kubeconfigPath, "port-forward", "--address", "127.0.0.1", ...target];
  const child = spawn(kubectlProgram, args, { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (text: string) => {
      said += text;
      const local = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (local !== undefined) resolve({ port: Number(local), close: () => void child.kill("SIGTERM") });
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`kubectl port-forward ended: ${said.trim()}`)));
  });
}
