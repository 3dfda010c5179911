import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap } from "../../kube/manifests.ts";
import { ownedMetadata } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";
import { isReplicated } from "../../model/replicas.ts";
import { oneAtATime } from "../pod-disruption-budget.ts";

/**
 * Returns the ConfigMap with changes to Istio's Deployment of the waypoint. With the chart's defaults its pods are rejected in
 * namespaces that enforce Pod Security "restricted" (files/waypoint.yaml of istio-discovery; tested with 1.31), and there is one
 * pod. A server with several replicas has two waypoint pods, on two nodes if possible.
 */
export function waypointParameters(server: MlflowServer): ConfigMap {
  const name = objectNames.waypoint(server.metadata.name);
  const securityContext = { seccompProfile: { type: "RuntimeDefault" } };
  const hasSeveral = isReplicated(server.spec);
  const pod = { securityContext, ...(hasSeveral && { topologySpreadConstraints: [spreadConstraint(name)] }) };
  const deployment = { spec: { ...(hasSeveral && { replicas: 2 }), template: { spec: pod } } };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(server, name, "waypoint"),
    data: {
      deployment: JSON.stringify(deployment),
      ...(hasSeveral && { podDisruptionBudget: JSON.stringify({ spec: oneAtATime }) }),
    },
  };
}

function spreadConstraint(gateway: string) {
  return {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: { "gateway.networking.k8s.io/gateway-name": gateway } },
  };
}
