import type { MlflowServer } from "../../api/server.ts";
import type { Service, ServiceAccount } from "../../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../../model/metadata.ts";
import { objectNames, tracesPort } from "../../model/names.ts";

/** Returns the Service of the listener. It has no waypoint: access is decided at the pods, by identity only. */
export function listenerService(server: MlflowServer): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    spec: {
      type: "ClusterIP",
      selector: podSelector(server, "traces"),
      ports: [{ name: "http", port: tracesPort, targetPort: "http", protocol: "TCP", appProtocol: "http" }],
    },
  };
}

/** Returns the listener's ServiceAccount. It is not the server's, which can have cloud permissions for artifacts. */
export function listenerServiceAccount(server: MlflowServer): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    automountServiceAccountToken: false,
  };
}
