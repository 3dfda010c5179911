import type { MlflowServer } from "../api/server.ts";
import { annotation } from "../kube/names.ts";
import type { Cause } from "./cause.ts";
import type { Cluster } from "./cluster.ts";

/**
 * The cause if another operator manages a server: the one in the annotation, or otherwise the first that has written its status.
 * Two operators would overwrite each other's changes and migrate one database at the same time.
 */
export function otherOperator(
  { identity }: Pick<Cluster, "identity">,
  { metadata, status }: Pick<MlflowServer, "metadata" | "status">,
): Cause | undefined {
  const manager = metadata.annotations?.[annotation.operator] ?? status?.operator;
  if (identity === undefined || manager === undefined || manager === identity) return undefined;
  const { namespace, name } = metadata;
  return {
    reason: "OtherOperator",
    message: `Operator ${manager.slice(0, 317)} manages MlflowServer ${name}, so operator ${identity} changes nothing for it. Have only one operator watch namespace ${namespace}. To transfer the server: kubectl annotate mlflowserver ${name} -n ${namespace} --overwrite ${annotation.operator}=${identity}`,
  };
}
