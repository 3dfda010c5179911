import { defaults } from "../../api/defaults.ts";
import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import { dataPath } from "../common/mounted-volume.ts";
import type { ArtifactStorage } from "./storage.ts";

/** A volume of the server, which can also have the SQLite file. */
export function volumeStorage(settings: NonNullable<ArtifactStore["persistentVolume"]>): ArtifactStorage {
  const { existingClaim, subPath, size = defaults.artifactVolumeSize, storageClassName } = settings;
  const accessModes: readonly string[] = settings.accessModes ?? defaults.accessModes;
  const isShared = accessModes.includes("ReadWriteMany");
  return {
    kind: "PersistentVolume",
    location: `${dataPath}/artifacts`,
    env: [],
    mounted: [],
    references: [],
    urls: [],
    usesCloudIdentity: false,
    volume: { existingClaim, subPath, size, storageClassName, accessModes, isShared },
  };
}
