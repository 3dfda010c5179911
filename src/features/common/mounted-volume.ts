import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import type { CertificateAuthority } from "../../api/fields/reference.ts";

/** The path of the server's volume in the container of MLflow. */
export const dataPath = "/mlflow/data";

/** A volume and its mounts. */
export interface Mounted {
  readonly volume: V1Volume;
  readonly mounts: readonly V1VolumeMount[];
}

/** Returns a volume with all keys of a Secret as files in `path`, readable only for the group of the pod. */
export function secretFiles(name: string, secretName: string, path: string): Mounted {
  return {
    volume: { name, secret: { secretName, defaultMode: 0o440 } },
    mounts: [{ name, mountPath: path, readOnly: true }],
  };
}

/** Returns a volume with some keys of a Secret as files in `path`, readable only for the group of the pod; keys by file name. */
export function keyFiles(
  name: string,
  secretName: string,
  path: string,
  files: Readonly<Record<string, string>>,
): Mounted {
  const items = Object.entries(files).map(([file, key]) => ({ key, path: file }));
  return {
    volume: { name, secret: { secretName, items, defaultMode: 0o440 } },
    mounts: [{ name, mountPath: path, readOnly: true }],
  };
}

/** Returns a volume with a CA bundle as the file `path`, the only one in its directory. */
export function caFileVolume(name: string, ca: CertificateAuthority, path: string): Mounted {
  const { secretRef, configMapRef } = ca;
  const { name: object = "", key = "ca.crt" } = secretRef ?? configMapRef ?? {};
  const items = [{ key, path: path.slice(path.lastIndexOf("/") + 1) }];
  const source =
    secretRef === undefined
      ? { configMap: { name: object, items, defaultMode: 0o444 } }
      : { secret: { secretName: object, items, defaultMode: 0o444 } };
  return {
    volume: { name, ...source },
    mounts: [{ name, mountPath: path.slice(0, path.lastIndexOf("/")), readOnly: true }],
  };
}

/** Returns the paths of CA bundles that are each the only file of a directory. */
export function caPathsOf(files: readonly Mounted[]): string[] {
  return files.flatMap(({ mounts }) => mounts.map(({ mountPath }) => `${mountPath}/ca.crt`));
}
