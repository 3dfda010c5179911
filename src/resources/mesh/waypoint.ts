import type { MlflowServer } from "../../api/server.ts";
import type { Gateway } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { ownedMetadata } from "../metadata.ts";
import { objectNames } from "../names.ts";

const useWaypoint = "istio.io/use-waypoint";

/**
 * The waypoint of this server alone: a policy that targets it holds for whatever goes through it. Its pods are none of
 * the server's: without labels of their own they would get those of the Gateway.
 */
export function waypoint(server: MlflowServer): Gateway {
  const { name } = server.metadata;
  const metadata = ownedMetadata(server, objectNames.waypoint(name), "waypoint");
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    // `service`: nobody gets through it by the address of a pod.
    metadata: { ...metadata, labels: { ...metadata.labels, "istio.io/waypoint-for": "service" } },
    spec: {
      gatewayClassName: "istio-waypoint",
      infrastructure: {
        // With these the Deployment that Istio makes is among what our watches tell.
        labels: { [label.managedBy]: manager, [label.waypoint]: name },
        parametersRef: { group: "", kind: "ConfigMap", name: objectNames.waypoint(name) },
      },
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "Same" } } }],
    },
  };
}

/** Labels of the Service: who comes by it, in the mesh or by an ingress gateway, goes through the waypoint. */
export function waypointLabels(server: MlflowServer): Record<string, string> {
  return { [useWaypoint]: objectNames.waypoint(server.metadata.name), "istio.io/ingress-use-waypoint": "true" };
}
