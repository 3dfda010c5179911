import type { MlflowServer } from "../api/server.ts";
import { annotation } from "../kube/names.ts";
import type { Cluster } from "./cluster.ts";
import type { Cause } from "./finding.ts";

/**
 * Why this operator leaves a server alone: another one manages it. An administrator's annotation decides, and otherwise who was the
 * first to write its status. Two operators would write against each other, and migrate one database at once.
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
