import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap } from "../../kube/manifests.ts";
import { ownedMetadata } from "../metadata.ts";
import { objectNames } from "../names.ts";
import { oneAtATime } from "../pod-disruption-budget.ts";

/**
 * What Istio's Deployment of the waypoint shall have besides. By its chart's defaults no pod of it is let into a namespace that
 * enforces Pod Security "restricted" (files/waypoint.yaml of istio-discovery; tried with 1.31), and there is one pod, without
 * which nobody gets through: a server of several has two of the waypoint, on two nodes if it can be.
 */
export function waypointParameters(server: MlflowServer): ConfigMap {
  const name = objectNames.waypoint(server.metadata.name);
  const securityContext = { seccompProfile: { type: "RuntimeDefault" } };
  const isSeveral = server.spec.replicas > 1;
  const pod = { securityContext, ...(isSeveral && { topologySpreadConstraints: [apart(name)] }) };
  const deployment = { spec: { ...(isSeveral && { replicas: 2 }), template: { spec: pod } } };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(server, name, "waypoint"),
    data: {
      deployment: JSON.stringify(deployment),
      ...(isSeveral && { podDisruptionBudget: JSON.stringify({ spec: oneAtATime }) }),
    },
  };
}

function apart(gateway: string) {
  return {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: { "gateway.networking.k8s.io/gateway-name": gateway } },
  };
}
