import { copyFile, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterAccess } from "../test/control-plane/cluster-access.ts";

/** Returns environment variables with which a process behaves like a pod of this service account; `server` is its API server. */
export async function podEnvironment(
  cluster: ClusterAccess,
  namespace: string,
  serviceAccount: string,
  server: string,
): Promise<Readonly<Record<string, string>>> {
  const directory = await mkdtemp(join(cluster.address.directory, "service-account-"));
  await copyFile(cluster.caFile, join(directory, "ca.crt"));
  await writeFile(join(directory, "token"), await cluster.tokenFor(namespace, serviceAccount), { mode: 0o600 });
  const { hostname, port } = new URL(server);
  return {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    MLFLOW_OPERATOR_SERVICE_ACCOUNT_DIRECTORY: directory,
    POD_NAMESPACE: namespace,
    POD_NAME: serviceAccount,
  };
}
