import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { objectNames } from "../names.ts";
import { policyOfPods } from "./policy-of-pods.ts";
import { waypointPrincipal } from "./principals.ts";

/**
 * Pods answer nobody in the mesh, nor in the clear, but the waypoint: a pod's IP or another Service is no way round. A DENY,
 * so no other policy can widen it. It says nothing of paths: ztunnel would skip such a rule, and let everybody in.
 */
export function denyBypass(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { notPrincipals: [waypointPrincipal(server)] } }] }];
  return policyOfPods(server, objectNames.denyBypass(server.metadata.name), { action: "DENY", rules });
}

/** Lets the waypoint in where a policy of the namespace allows nothing. */
export function allowFromWaypoint(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: [waypointPrincipal(server)] } }] }];
  return policyOfPods(server, objectNames.allowFromWaypoint(server.metadata.name), { action: "ALLOW", rules });
}
