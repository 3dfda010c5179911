import { defaults } from "../../api/defaults.ts";
import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import { dataPath } from "../common/mounted-volume.ts";
import type { ArtifactStorage } from "./storage.ts";

/** A volume of the server, which can also have the SQLite file. */
export function volumeStorage(settings: NonNullable<ArtifactStore["persistentVolume"]>): ArtifactStorage {
  const accessModes: readonly string[] = settings.accessModes ?? defaults.accessModes;
  return {
    kind: "PersistentVolume",
    location: `${dataPath}/artifacts`,
    env: [],
    mounted: [],
    references: [],
    urls: [],
    usesCloudIdentity: false,
    volume: {
      size: settings.size ?? defaults.artifactVolumeSize,
      storageClassName: settings.storageClassName,
      accessModes,
      isShared: accessModes.includes("ReadWriteMany"),
    },
  };
}
