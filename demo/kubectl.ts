import { type CompletedOptions, completed } from "../test/control-plane/completed.ts";
import type { Ground } from "./ground.ts";

/** kubectl on the demo's cluster; gives what it prints, and rejects with what it says against the command. */
export type Kubectl = (args: readonly string[], options?: CompletedOptions) => Promise<string>;

export function kubectlOn({ kubectlProgram, kubeconfigPath }: Ground): Kubectl {
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
