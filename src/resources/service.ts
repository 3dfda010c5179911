import type { Service } from "../kube/manifests.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata, podSelector } from "./metadata.ts";
import { objectNames, port } from "./names.ts";

/** The one address of a server. It leads to the pods that serve, never to those of the migration. */
export function service({ server }: Inputs): Service {
  const appProtocol = server.spec.server?.tls === undefined ? "http" : "https";
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(server, objectNames.service(server.metadata.name)),
    spec: {
      type: "ClusterIP",
      selector: podSelector(server),
      ports: [{ name: "http", port, targetPort: "http", protocol: "TCP", appProtocol }],
    },
  };
}
