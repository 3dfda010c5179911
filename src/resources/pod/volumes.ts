import { authDirectory } from "../../features/authentication/authentication.ts";
import { dataPath, type Mounted, secretFiles } from "../../features/common/mounted-volume.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { literal } from "../../kube/variable.ts";

/** Paths in the container of MLflow. Its root file system is read-only. */
const temporaryPath = "/tmp";
export const tlsPath = "/etc/mlflow/tls";

/** Where programs write, since other directories are read-only. */
export const temporaryVariables = [literal("HOME", temporaryPath), literal("TMPDIR", temporaryPath)];

/** Returns the temporary volume: uploads pass through it, so its limit is the maximum upload size. */
export function temporary({ process }: ServerModel): Mounted {
  return {
    volume: { name: "tmp", emptyDir: { sizeLimit: process.maxUploadSize } },
    mounts: [{ name: "tmp", mountPath: temporaryPath }],
  };
}

/** Returns the volume with the server's database or artifacts, if it has one. */
export function data({ volume }: ServerModel): Mounted[] {
  if (volume === undefined) return [];
  const { claimName, subPath } = volume;
  return [
    {
      volume: { name: "data", persistentVolumeClaim: { claimName } },
      mounts: [{ name: "data", mountPath: dataPath, ...(subPath !== undefined && { subPath }) }],
    },
  ];
}

/** Returns what MLflow mounts in its container. */
export function mlflowVolumes(model: ServerModel): Mounted[] {
  const { names, authentication, certificateSecret, proxy, databaseFiles, artifacts } = model;
  const hasFiles = Object.keys(authentication.files).length > 0;
  return [
    ...data(model),
    ...(hasFiles ? [secretFiles("auth", names.authConfig, authDirectory)] : []),
    ...authentication.mounted,
    // Behind oauth2-proxy, the proxy has the serving certificate.
    ...(certificateSecret === undefined || proxy !== undefined ? [] : [secretFiles("tls", certificateSecret, tlsPath)]),
    ...databaseFiles,
    ...artifacts.mounted,
  ];
}
