import { objectNames } from "../names.ts";
import type { Mounted } from "./mounted.ts";

/** A program of ours that `mlflow server --app-name` finds. */
export interface PythonApplication {
  readonly server: string;
  /** The name by which it is found. */
  readonly name: string;
  /** The module that has it, and what of the module it is. */
  readonly module: string;
  readonly attribute: string;
  /** Its files by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Where Python finds it: nobody can write there. */
  readonly path: string;
  /** Of the volume, and where the Secret's keys begin with another one, of those. */
  readonly volume: string;
  readonly keys?: string;
}

/**
 * Its files, for the Secret of the server's authentication, and the same again as a folder of Python's, which the keys of a
 * Secret alone cannot be: with the two files by which MLflow finds an application, those of an installed Python package.
 */
export function pythonApplication(application: PythonApplication): { files: Record<string, string>; mounted: Mounted } {
  const { server, name, module, attribute, files, path, volume, keys = volume } = application;
  const [entryPoints, metadata] = [`${keys}-entry-points.txt`, `${keys}-metadata`];
  const distribution = `${module}-1.dist-info`;
  const items = [
    ...Object.keys(files).map((key) => ({ key, path: key })),
    { key: entryPoints, path: `${distribution}/entry_points.txt` },
    { key: metadata, path: `${distribution}/METADATA` },
  ];
  return {
    files: {
      ...files,
      [entryPoints]: `[mlflow.app]\n${name} = ${module}:${attribute}\n`,
      [metadata]: `Metadata-Version: 2.1\nName: ${module.replaceAll("_", "-")}\nVersion: 1\n`,
    },
    mounted: {
      volume: { name: volume, secret: { secretName: objectNames.auth(server), items, defaultMode: 0o440 } },
      mounts: [{ name: volume, mountPath: path, readOnly: true }],
    },
  };
}
