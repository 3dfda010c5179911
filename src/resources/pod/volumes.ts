import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import type { CertificateAuthority } from "../../api/fields/reference.ts";
import { databaseCaPath } from "../database.ts";
import type { Inputs } from "../inputs.ts";
import { dataKeys, objectNames } from "../names.ts";

/** Where things are in the container of MLflow. Its root file system is read-only. */
export const temporaryPath = "/tmp";
export const dataPath = "/mlflow/data";
export const artifactsPath = `${dataPath}/artifacts`;
export const authConfigPath = `/etc/mlflow/auth/${dataKeys.basicAuthIni}`;
export const tlsPath = "/etc/mlflow/tls";
export const s3CaPath = "/etc/mlflow/ca/s3/ca.crt";

/** A volume with the place where it is mounted. */
export interface Mounted {
  readonly volume: V1Volume;
  readonly mounts: readonly V1VolumeMount[];
}

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

/** basic_auth.ini, read-only. */
export function authConfig({ server }: Inputs): Mounted[] {
  if (server.spec.authentication.basic === undefined) return [];
  return [
    {
      volume: {
        name: "auth",
        secret: { secretName: objectNames.auth(server.metadata.name), defaultMode: 0o440 },
      },
      mounts: [{ name: "auth", mountPath: "/etc/mlflow/auth", readOnly: true }],
    },
  ];
}

/** The certificate that the server presents. */
export function certificate({ server }: Inputs): Mounted[] {
  const tls = server.spec.server?.tls;
  if (tls === undefined) return [];
  return [
    {
      volume: { name: "tls", secret: { secretName: tls.secretName, defaultMode: 0o440 } },
      mounts: [{ name: "tls", mountPath: tlsPath, readOnly: true }],
    },
  ];
}

/** Certificate authorities of the databases. */
export function databaseAuthorities({ server }: Inputs): Mounted[] {
  const auth = server.spec.authentication.basic?.database?.postgresql.ca;
  const tracking = server.spec.backendStore.postgresql?.ca;
  return [
    ...(tracking === undefined ? [] : [authority("ca-tracking", tracking, databaseCaPath("tracking"))]),
    ...(auth === undefined ? [] : [authority("ca-auth", auth, databaseCaPath("auth"))]),
  ];
}

/** Certificate authority of the artifact store. */
export function storeAuthorities({ server }: Inputs): Mounted[] {
  const ca = server.spec.artifactStore.s3?.ca;
  return ca === undefined ? [] : [authority("ca-s3", ca, s3CaPath)];
}

function authority(name: string, ca: CertificateAuthority, path: string): Mounted {
  const items = [{ key: ca.key ?? "ca.crt", path: "ca.crt" }];
  const source =
    ca.secretName === undefined
      ? { configMap: { name: ca.configMapName ?? "", items, defaultMode: 0o444 } }
      : { secret: { secretName: ca.secretName, items, defaultMode: 0o444 } };
  return {
    volume: { name, ...source },
    mounts: [{ name, mountPath: path.slice(0, path.lastIndexOf("/")), readOnly: true }],
  };
}
