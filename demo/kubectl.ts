import { type CompletedOptions, completed } from "../test/control-plane/completed.ts";
import type { DemoCluster } from "./demo-cluster.ts";

/** Runs kubectl on the cluster of the demo. Returns stdout; rejects with stderr if it fails. */
export type Kubectl = (args: readonly string[], options?: CompletedOptions) => Promise<string>;

export function kubectlOn({ kubectlProgram, kubeconfigPath }: DemoCluster): Kubectl {
  return async (args, options) => {
    const { code, stdout, stderr } = await completed(
      kubectlProgram,
      ["--kubeconfig", kubeconfigPath, ...args],
      options,
    );
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim()}`);
    return stdout;
  };
}
