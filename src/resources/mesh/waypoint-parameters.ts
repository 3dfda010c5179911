import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap } from "../../kube/manifests.ts";
import { ownedMetadata } from "../metadata.ts";
import { objectNames } from "../names.ts";

const deployment = {
  spec: { template: { spec: { securityContext: { seccompProfile: { type: "RuntimeDefault" } } } } },
};

/**
 * What Istio's Deployment of the waypoint shall have besides: by its chart's defaults no pod of it is let into a namespace that
 * enforces Pod Security "restricted" (files/waypoint.yaml of istio-discovery; tried with 1.31).
 */
export function waypointParameters(server: MlflowServer): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(server, objectNames.waypoint(server.metadata.name), "waypoint"),
    data: { deployment: JSON.stringify(deployment) },
  };
}
