import type { Service } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata, podSelector } from "../model/metadata.ts";
import { objectNames, port } from "../model/names.ts";
import { waypointLabels } from "./mesh/waypoint.ts";

/** Returns the Service of a server. It selects the server's pods, never those of the migration. */
export function service({ server, mesh }: Inputs): Service {
  const appProtocol = server.spec.server?.tls === undefined ? "http" : "https";
  const metadata = ownedMetadata(server, objectNames.service(server.metadata.name));
  const labels = { ...metadata.labels, ...(mesh.has("binding") && waypointLabels(server)) };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...metadata, labels },
    spec: {
      type: "ClusterIP",
      selector: podSelector(server),
      ports: [{ name: "http", port, targetPort: "http", protocol: "TCP", appProtocol }],
    },
  };
}
