import type { ServerModel } from "../features/server-model.ts";
import type { PersistentVolumeClaim } from "../kube/manifests.ts";
import { storedMetadata } from "../model/metadata.ts";

/** Returns the PersistentVolumeClaim of a server, for its SQLite file, its artifacts, or both. */
export function persistentVolumeClaim(model: ServerModel): PersistentVolumeClaim | undefined {
  if (model.volume === undefined) return undefined;
  const { size, storageClassName, accessModes } = model.volume;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: storedMetadata(model, model.names.volumeClaim),
    spec: {
      accessModes: [...accessModes],
      resources: { requests: { storage: size } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}
