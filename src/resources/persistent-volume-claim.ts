import { defaults } from "../api/defaults.ts";
import type { ArtifactStore } from "../api/fields/artifact-store.ts";
import { choose } from "../features/common/choose.ts";
import type { PersistentVolumeClaim } from "../kube/manifests.ts";
import type { Inputs } from "./inputs.ts";
import { storedMetadata } from "./metadata.ts";
import { objectNames } from "./names.ts";

/** Returns the PersistentVolumeClaim of a server, for its SQLite file, its artifacts, or both. */
export function persistentVolumeClaim({ server }: Inputs): PersistentVolumeClaim | undefined {
  const { sqlite } = server.spec.backendStore;
  const persistentVolume = choose(server.spec.artifactStore, "spec.artifactStore", {
    persistentVolume: (volume): ArtifactStore["persistentVolume"] => volume,
    s3: () => undefined,
  });
  const settings = persistentVolume ?? sqlite;
  if (settings === undefined) return undefined;
  const { storageClassName } = settings;
  const defaultSize = persistentVolume === undefined ? defaults.sqliteVolumeSize : defaults.artifactVolumeSize;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: storedMetadata(server, objectNames.volumeClaim(server.metadata.name)),
    spec: {
      accessModes: [...(persistentVolume?.accessModes ?? defaults.accessModes)],
      resources: { requests: { storage: settings.size ?? defaultSize } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}
