import type { MlflowServer } from "../api/server.ts";
import { credentialsFor } from "../client/api-access.ts";
import { apiClient, find } from "../client/api-client.ts";
import { resourcePath } from "../kube/kinds.ts";

/** A server of a cluster, asked for with the user's own credentials. Throws where there is none. */
export async function liveServer(
  kubeconfig: string,
  namespace: string,
  name: string,
  version: string,
): Promise<MlflowServer> {
  const client = apiClient({
    credentials: credentialsFor({ kubeconfig }),
    userAgent: `mlflow-operator-cli/${version}`,
  });
  try {
    const server = await find<MlflowServer>(client, resourcePath("MlflowServer", namespace, name));
    if (server === undefined) throw new Error(`there is no MlflowServer ${name} in namespace ${namespace}`);
    return server;
  } finally {
    client.close();
  }
}
