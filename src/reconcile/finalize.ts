import type { MlflowServer } from "../api/server.ts";
import { finalizer, label } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
import type { Cluster } from "./cluster.ts";
import { type Failing, failureCause } from "./failure-cause.ts";
import { isCrossNamespace } from "./ownership.ts";
import { report } from "./status.ts";

/**
 * Deletes the objects of a deleted server outside its namespace, which have no owner reference, and then removes its finalizer. Missing
 * objects do not block it.
 */
export async function finalize(
  cluster: Cluster,
  key: Key,
  server: MlflowServer | undefined,
  installation: Installation,
  now: Date,
  failing: Failing,
): Promise<void> {
  const left = () => cluster.owned(key).filter((object) => isCrossNamespace(object, { metadata: key }));
  const hasFinalizer = server?.metadata.finalizers?.includes(finalizer) === true;
  try {
    await Promise.all(left().map((object) => cluster.delete(object)));
    if (!hasFinalizer) return;
    if (installation.namespaces !== undefined) {
      await report(
        cluster,
        { server, owned: cluster.owned(key), now },
        finalizationBlocked(server, installation.namespaces),
      );
      return;
    }
    // The watch reports when objects with finalizers are deleted; objects in workspaces are deleted by their reconciliations.
    if (left().length === 0 && cluster.granted(key).length === 0) await cluster.removeFinalizer(server);
  } catch (error) {
    const cause = failureCause(error, failing);
    if (cause !== undefined && server !== undefined) {
      await report(cluster, { server, owned: cluster.owned(key), now }, { state: "stalled", cause });
    }
    throw error;
  }
}

function finalizationBlocked({ metadata }: MlflowServer, namespaces: readonly string[]) {
  const labels = `${label.serverNamespace}=${metadata.namespace},${label.server}=${metadata.name}`;
  return {
    state: "stalled",
    cause: {
      reason: "WorkspacesUnavailable",
      message: `This operator watches ${namespaces.join(", ")} only and cannot delete ClusterRoleBindings, which an operator of all namespaces has created for this server, so the finalizer stays: delete the ClusterRoleBindings labeled ${labels}, then remove ${finalizer} from metadata.finalizers`,
    },
  } as const;
}
