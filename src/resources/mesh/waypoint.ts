import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap, Gateway } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { type Owner, ownedMetadata } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";
import { isReplicated } from "../../model/replicas.ts";
import { oneAtATime } from "../pod-disruption-budget.ts";

const useWaypoint = "istio.io/use-waypoint";

/**
 * Returns the Gateway of a waypoint for this server only, so that a policy on it applies to no other server. Its pods have separate labels: by default they inherit those of the Gateway, which select the server's pods.
 */
export function waypoint(server: MlflowServer): Gateway {
  const { name } = server.metadata;
  const metadata = ownedMetadata(server, objectNames.waypoint(name), "waypoint");
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    // `service`: the waypoint does not forward traffic to pod IPs.
    metadata: { ...metadata, labels: { ...metadata.labels, "istio.io/waypoint-for": "service" } },
    spec: {
      gatewayClassName: "istio-waypoint",
      infrastructure: {
        // The operator's watches select the Deployment that Istio creates by these labels.
        labels: { [label.managedBy]: manager, [label.waypoint]: name },
        parametersRef: { group: "", kind: "ConfigMap", name: objectNames.waypoint(name) },
      },
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "Same" } } }],
    },
  };
}

/** Returns the labels of the Service that send traffic, from the mesh and from ingress gateways, through the waypoint. */
export function waypointLabels(server: Owner): Record<string, string> {
  return { [useWaypoint]: objectNames.waypoint(server.metadata.name), "istio.io/ingress-use-waypoint": "true" };
}

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
