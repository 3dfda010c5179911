import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { objectNames } from "../../model/names.ts";
import { policyOfPods } from "./policy-of-pods.ts";
import { waypointPrincipal } from "./principals.ts";

/**
 * Returns the policy that denies all traffic to the pods except from the waypoint, so pod IPs and other Services are no bypass. A
 * DENY, so no other policy can widen it. It has no paths: ztunnel skips rules with HTTP attributes, which would allow all clients.
 */
export function denyBypass(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { notPrincipals: [waypointPrincipal(server)] } }] }];
  return policyOfPods(server, objectNames.denyBypass(server.metadata.name), { action: "DENY", rules });
}

/** Returns the policy that allows the waypoint, for namespaces with an allow-nothing policy. */
export function allowFromWaypoint(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: [waypointPrincipal(server)] } }] }];
  return policyOfPods(server, objectNames.allowFromWaypoint(server.metadata.name), { action: "ALLOW", rules });
}
