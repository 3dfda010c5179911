import type { MlflowServer } from "../../api/server.ts";
import type { Gateway } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { type Owner, ownedMetadata } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";

const useWaypoint = "istio.io/use-waypoint";

/**
 * Returns the Gateway of a waypoint for this server only, so that a policy on it applies to no other server. Its pods have
 * labels of their own: by default they inherit those of the Gateway, which select the server's pods.
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
