import type { ServerModel } from "../features/server-model.ts";
import type { PersistentVolumeClaim } from "../kube/manifests.ts";
import { storedMetadata } from "../model/metadata.ts";

/** Returns the PersistentVolumeClaim of a server, for its SQLite file, its artifacts, or both; undefined if it uses an existing one. */
export function persistentVolumeClaim(model: ServerModel): PersistentVolumeClaim | undefined {
  if (model.volume?.hasOwnClaim !== true) return undefined;
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
