import { defaults } from "../api/defaults.ts";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import type { PersistentVolumeClaim } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { storedMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";

/** Returns the PersistentVolumeClaim of a server, for its SQLite file, its artifacts, or both. */
export function persistentVolumeClaim({ server }: Inputs): PersistentVolumeClaim | undefined {
  const { volume } = artifactStorageOf(server.spec);
  const settings = volume ?? backendDatabase(server.spec).volume;
  if (settings === undefined) return undefined;
  const { size = defaults.sqliteVolumeSize, storageClassName } = settings;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: storedMetadata(server, objectNames.volumeClaim(server.metadata.name)),
    spec: {
      accessModes: [...(volume?.accessModes ?? defaults.accessModes)],
      resources: { requests: { storage: size } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}
