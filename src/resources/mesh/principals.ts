import { defaults } from "../../api/defaults.ts";
import type { MlflowServer } from "../../api/server.ts";
import { objectNames } from "../names.ts";

/** The identity of a workload in the mesh, exactly: `serviceAccounts` would take any trust domain. */
function principal({ spec }: MlflowServer, namespace: string, serviceAccount: string): string {
  return `${spec.mesh?.istio.trustDomain ?? defaults.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Istio gives the waypoint a ServiceAccount of the Gateway's name. */
export function waypointPrincipal(server: MlflowServer): string {
  return principal(server, server.metadata.namespace ?? "default", objectNames.waypoint(server.metadata.name));
}

/** The identities of those that may write traces. */
export function writerPrincipals(server: MlflowServer): string[] {
  const writers = server.spec.traces?.writers ?? [];
  return writers.map(({ namespace, serviceAccount }) => principal(server, namespace, serviceAccount));
}
