import type { MlflowServer } from "../../api/server.ts";
import type { Service } from "../../kube/manifests.ts";
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
