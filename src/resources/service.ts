import type { ServerModel } from "../features/server-model.ts";
import type { Service } from "../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../model/metadata.ts";
import { port } from "../model/names.ts";
import { waypointLabels } from "./mesh/waypoint.ts";

/** Returns the Service of a server. It selects the server's pods, never those of the migration. */
export function service({ owner, names, addresses, mesh, service: { annotations, families } }: ServerModel): Service {
  const metadata = ownedMetadata(owner, names.service);
  const labels = { ...metadata.labels, ...(mesh.steps.has("binding") && waypointLabels(owner)) };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...metadata, labels, ...(annotations && { annotations }) },
    spec: {
      type: "ClusterIP",
      ...families,
      selector: podSelector(owner),
      ports: [{ name: "http", port, targetPort: "http", protocol: "TCP", appProtocol: addresses.scheme }],
    },
  };
}
