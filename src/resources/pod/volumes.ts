import { defaults } from "../../api/defaults.ts";
import { hasVolume } from "../../features/artifacts/index.ts";
import { dataPath, type Mounted, secretFiles } from "../../features/common/mounted-volume.ts";
import { backendDatabase } from "../../features/database/index.ts";
import type { Inputs } from "../../model/inputs.ts";
import { objectNames } from "../../model/names.ts";
import { isProxied } from "../../model/serving-port.ts";
import { type Authentication, authDirectory } from "../authentication/authentication.ts";

/** Paths in the container of MLflow. Its root file system is read-only. */
export const temporaryPath = "/tmp";
export const tlsPath = "/etc/mlflow/tls";

/** Returns the temporary volume: uploads pass through it, so its limit is the maximum upload size. */
export function temporary({ server }: Inputs): Mounted {
  const sizeLimit = server.spec.artifactStore.maxUploadSize ?? defaults.maxUploadSize;
  return {
    volume: { name: "tmp", emptyDir: { sizeLimit } },
    mounts: [{ name: "tmp", mountPath: temporaryPath }],
  };
}

/** Returns the server's PersistentVolumeClaim, if it has one. */
export function data({ server }: Inputs): Mounted[] {
  if (!hasVolume(server.spec)) return [];
  const claimName = objectNames.volumeClaim(server.metadata.name);
  return [
    {
      volume: { name: "data", persistentVolumeClaim: { claimName } },
      mounts: [{ name: "data", mountPath: dataPath }],
    },
  ];
}

/** Returns the files of the authentication method, if it has any. */
export function authFiles({ server }: Inputs, { files }: Authentication): Mounted[] {
  if (Object.keys(files).length === 0) return [];
  return [secretFiles("auth", objectNames.authConfig(server.metadata.name), authDirectory)];
}

/** Returns the serving certificate of MLflow; behind oauth2-proxy, the proxy has it. */
export function certificate({ server }: Inputs): Mounted[] {
  const tls = server.spec.server?.tls;
  return tls === undefined || isProxied(server.spec)
    ? []
    : [secretFiles("tls", tls.certificateSecretRef.name, tlsPath)];
}

/** Returns the volumes that MLflow needs to connect to its databases. */
export function databaseFiles({ server }: Inputs, { users }: Authentication): Mounted[] {
  return [...backendDatabase(server.spec).mounted, ...(users?.isSeparate ? users.database.mounted : [])];
}
