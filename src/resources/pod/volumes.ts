import { defaults } from "../../api/defaults.ts";
import { type Authentication, authDirectory } from "../authentication/authentication.ts";
import { databaseCaPath } from "../database.ts";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import { isProxied } from "../serving-port.ts";
import { caFileVolume, type Mounted, secretFiles } from "./mounted-volume.ts";

/** Where things are in the container of MLflow. Its root file system is read-only. */
export const temporaryPath = "/tmp";
export const dataPath = "/mlflow/data";
export const artifactsPath = `${dataPath}/artifacts`;
export const tlsPath = "/etc/mlflow/tls";
export const s3CaPath = "/etc/mlflow/ca/s3/ca.crt";

/** The temporary space: uploads pass through it, so it has room for the largest and as much again for the rest. */
export function temporary({ server }: Inputs): Mounted {
  const sizeLimit = server.spec.artifactStore.maxUploadSize ?? defaults.maxUploadSize;
  return {
    volume: { name: "tmp", emptyDir: { sizeLimit } },
    mounts: [{ name: "tmp", mountPath: temporaryPath }],
  };
}

/** The server's own volume, where it has one. */
export function data({ server }: Inputs): Mounted[] {
  const { backendStore, artifactStore } = server.spec;
  if (backendStore.sqlite === undefined && artifactStore.persistentVolume === undefined) return [];
  const claimName = objectNames.volumeClaim(server.metadata.name);
  return [
    {
      volume: { name: "data", persistentVolumeClaim: { claimName } },
      mounts: [{ name: "data", mountPath: dataPath }],
    },
  ];
}

/** The configuration of the authentication, where it has any. */
export function authFiles({ server }: Inputs, { files }: Authentication): Mounted[] {
  if (Object.keys(files).length === 0) return [];
  return [secretFiles("auth", objectNames.authConfig(server.metadata.name), authDirectory)];
}

/** The certificate that MLflow presents; where there is a proxy, that does. */
export function certificate({ server }: Inputs): Mounted[] {
  const tls = server.spec.server?.tls;
  return tls === undefined || isProxied(server.spec)
    ? []
    : [secretFiles("tls", tls.certificateSecretRef.name, tlsPath)];
}

/** Certificate authorities of the databases. */
export function databaseCaFiles({ server }: Inputs, { users }: Authentication): Mounted[] {
  const auth = users?.postgresql?.ca;
  const tracking = server.spec.backendStore.postgresql?.ca;
  return [
    ...(tracking === undefined ? [] : [caFileVolume("ca-tracking", tracking, databaseCaPath("tracking"))]),
    ...(auth === undefined ? [] : [caFileVolume("ca-auth", auth, databaseCaPath("auth"))]),
  ];
}

/** Certificate authority of the artifact store. */
export function storeCaFiles({ server }: Inputs): Mounted[] {
  const ca = server.spec.artifactStore.s3?.ca;
  return ca === undefined ? [] : [caFileVolume("ca-s3", ca, s3CaPath)];
}
