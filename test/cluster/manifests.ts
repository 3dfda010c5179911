import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterPaths } from "./cluster-paths.ts";
import { network } from "./network.ts";

const folder = join(import.meta.dirname, "manifests");

/** Returns the manifests of the cluster's system pods, as one YAML text. */
export async function systemManifests(): Promise<string> {
  const values: Readonly<Record<string, string | number>> = {
    ...network(),
    volumes: join(clusterPaths.state, "volumes"),
  };
  const files = (await readdir(folder)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  return texts.join("\n---\n").replaceAll(/\$\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
