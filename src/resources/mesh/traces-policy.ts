import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { ownedMetadata } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";
import { tracesRules } from "./traces-rules.ts";

/**
 * Returns the policy of the waypoint. It targets the Gateway: a policy on the Service does not apply to other Services that
 * use the same waypoint.
 */
export function tracesPolicy(server: MlflowServer): AuthorizationPolicy {
  const { name } = server.metadata;
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: ownedMetadata(server, objectNames.tracesPolicy(name), "waypoint"),
    spec: {
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: objectNames.waypoint(name) }],
      action: "ALLOW",
      rules: tracesRules(server),
    },
  };
}
