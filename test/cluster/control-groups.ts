import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** The parent of all control groups of pods, so that they can be told from those of another kubelet. */
export const controlGroup = "mlflow-operator-cluster";

const root = "/sys/fs/cgroup";

/** Makes the parent in every hierarchy; kubelet wants to find it. */
export async function makeControlGroups(): Promise<void> {
  for (const hierarchy of await hierarchies()) await mkdir(join(hierarchy, controlGroup), { recursive: true });
}

/** Removes it and what is below it. Nothing may run in it any more. */
export async function removeControlGroups(): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const top = join(hierarchy, controlGroup);
    const below = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
    const folders = below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    // The deepest first; a control group's own files go with it.
    for (const folder of [top, ...folders].sort((a, b) => b.length - a.length)) await rmdir(folder).catch(() => {});
  }
}

/** One folder with cgroup v2, one for each controller with v1 (some of those are links to others). */
async function hierarchies(): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  if (entries.some(({ name }) => name === "cgroup.controllers")) return [root];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(root, name));
}
