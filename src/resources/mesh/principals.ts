import { defaults } from "../../api/defaults.ts";
import type { MlflowServer } from "../../api/server.ts";
import { objectNames } from "../../model/names.ts";

/** Returns the exact principal of a workload: `serviceAccounts` in a policy would match any trust domain. */
function principal({ spec }: MlflowServer, namespace: string, serviceAccount: string): string {
  return `${spec.mesh?.istio.trustDomain ?? defaults.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Returns the principal of the waypoint: Istio names its ServiceAccount after the Gateway. */
export function waypointPrincipal(server: MlflowServer): string {
  return principal(server, server.metadata.namespace ?? "default", objectNames.waypoint(server.metadata.name));
}

/** Returns the principals of the workloads that can write traces. */
export function writerPrincipals(server: MlflowServer): string[] {
  const writers = server.spec.traces?.writers ?? [];
  return writers.map(({ namespace, serviceAccount }) => principal(server, namespace, serviceAccount));
}
