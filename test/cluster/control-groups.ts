import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** The parent of all control groups of pods, to distinguish them from those of another kubelet. */
export const controlGroup = "mlflow-operator-cluster";

const root = "/sys/fs/cgroup";

/** Creates the parent in every hierarchy; kubelet requires it. */
export async function makeControlGroups(): Promise<void> {
  for (const hierarchy of await hierarchies()) await mkdir(join(hierarchy, controlGroup), { recursive: true });
}

/** Removes the parent and everything below it. No process may run in it. */
export async function removeControlGroups(): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const top = join(hierarchy, controlGroup);
    const below = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
    const folders = below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    // The deepest first; the files of a control group are removed with it.
    for (const folder of [top, ...folders].sort((a, b) => b.length - a.length)) await rmdir(folder).catch(() => {});
  }
}

/** Returns one folder for cgroup v2, or one per controller for v1 (some are links to others). */
async function hierarchies(): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  if (entries.some(({ name }) => name === "cgroup.controllers")) return [root];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(root, name));
}
