import { delimiter, join } from "node:path";
import { credentialsFor } from "../kube/client/api-access.ts";
import { type ApiClient, apiClient } from "../kube/client/api-client.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";

/** Options that choose a cluster and a namespace, as kubectl has them. */
export interface ClusterOptions {
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
}

/** An API server with the user's own credentials, and the namespace that a command concerns. */
export interface ChosenCluster {
  readonly client: ApiClient;
  readonly namespace: string;
}

/** Runs `work` on the cluster of the options, of `KUBECONFIG` or of ~/.kube/config. Throws where there is no kubeconfig. */
export async function withCluster<T>(
  options: ClusterOptions,
  { environment, version }: CommandContext,
  work: (cluster: ChosenCluster) => Promise<T>,
): Promise<T> {
  const { contextNamespace, existingPaths } = await import("../kube/client/kubeconfig.ts");
  const ambient = environment.kubeconfig ?? (environment.home && join(environment.home, ".kube/config")) ?? "";
  const path = options.kubeconfig ?? existingPaths(ambient).join(delimiter);
  if (path === "")
    throw new Error(
      "there is no kubeconfig, so no cluster can be read: set KUBECONFIG or name a file with --kubeconfig. Commands with the option -f can read manifests instead.",
    );
  const namespace = options.namespace ?? contextNamespace(path, options.context) ?? "default";
  const access = { kubeconfig: path, ...(options.context !== undefined && { context: options.context }) };
  const client = apiClient({ credentials: credentialsFor(access), userAgent: `mlflow-operator-cli/${version}` });
  try {
    return await work({ client, namespace });
  } finally {
    client.close();
  }
}

/** Throws for a cluster that is named where files are read. */
export function rejectClusterOptions({ context, kubeconfig }: ClusterOptions): void {
  for (const [name, value] of Object.entries({ context, kubeconfig }))
    if (value !== undefined) throw new UsageError(`--${name} cannot be combined with files: leave out one of them`);
}
