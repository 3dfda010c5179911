import type { ServerModel } from "../features/server-model.ts";
import type { Service } from "../kube/manifests.ts";
import { type Component, ownedMetadata, podSelector } from "../model/metadata.ts";
import { port } from "../model/names.ts";
import { waypointLabels } from "./mesh/waypoint.ts";

/** Returns the Service of a server. It selects the server's pods, never those of the migration. */
export function service(model: ServerModel): Service {
  return servingService(model, model.names.service);
}

/** Returns the Service of the server's pods for artifacts; undefined without. */
export function artifactService(model: ServerModel): Service | undefined {
  return model.artifactServer && servingService(model, model.names.artifactServer, "artifacts");
}

function servingService(
  { owner, addresses, mesh, service: { annotations, families } }: ServerModel,
  name: string,
  component?: Component,
): Service {
  const metadata = ownedMetadata(owner, name, component);
  const labels = { ...metadata.labels, ...(mesh.steps.has("binding") && waypointLabels(owner)) };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...metadata, labels, ...(annotations && { annotations }) },
    spec: {
      type: "ClusterIP",
      ...families,
      selector: podSelector(owner, component),
      ports: [{ name: "http", port, targetPort: "http", protocol: "TCP", appProtocol: addresses.scheme }],
    },
  };
}
