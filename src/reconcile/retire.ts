import type { MlflowServer } from "../api/server.ts";
import { finalizer, label } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import type { Installation } from "../resources/inputs.ts";
import type { Cluster } from "./cluster.ts";
import { type Failing, failureCause } from "./failure-cause.ts";
import { isCrossNamespace } from "./ownership.ts";
import { report } from "./report.ts";

/**
 * Releases what a server that goes, or is gone, has left where no owner reference reaches, and then the server itself. What
 * has gone already holds up nothing.
 */
export async function retire(
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
      await report(cluster, { server, owned: cluster.owned(key), now }, beyondReach(server, installation.namespaces));
      return;
    }
    // Where something has a finalizer of its own, its end is told by the watch; what is in workspaces goes by their passes.
    if (left().length === 0 && cluster.granted(key).length === 0) await cluster.letGo(server);
  } catch (error) {
    const cause = failureCause(error, failing);
    if (cause !== undefined && server !== undefined) {
      await report(cluster, { server, owned: cluster.owned(key), now }, { state: "stalled", cause });
    }
    throw error;
  }
}

function beyondReach({ metadata }: MlflowServer, namespaces: readonly string[]) {
  const labels = `${label.serverNamespace}=${metadata.namespace},${label.server}=${metadata.name}`;
  return {
    state: "stalled",
    cause: {
      reason: "WorkspacesUnavailable",
      message: `This operator watches ${namespaces.join(", ")} only and cannot delete ClusterRoleBindings, which an operator of all namespaces has created for this server, so the finalizer stays: delete the ClusterRoleBindings labeled ${labels}, then remove ${finalizer} from metadata.finalizers`,
    },
  } as const;
}
