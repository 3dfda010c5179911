import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { succeeded } from "../control-plane/completed.ts";
import { clusterPaths } from "./cluster-paths.ts";

/** containerd's indexes, below its folder. Its other databases contain only state of running pods. */
const indexes = ["io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"];
const snapshots = join(clusterPaths.containerd, "io.containerd.snapshotter.v1.overlayfs/snapshots");

interface SavedState {
  /** The folders of unpacked layers. */
  readonly snapshots: readonly string[];
  /** The hash of the imported archive, by the image's reference. */
  readonly imported: Readonly<Record<string, string>>;
}

const savedStatePath = join(clusterPaths.savedIndexes, "kept.json");

/**
 * Restores containerd's folder to the state of {@link saveImageStore}: images and no containers, even after a crash.
 * Without a saved state, or with an invalid one, empties the folder. Returns the images in the store.
 */
export async function restoreImageStore(): Promise<SavedState["imported"]> {
  const saved = await readSavedState();
  if (!saved) {
    await Promise.all(
      [clusterPaths.containerd, clusterPaths.savedIndexes].map((path) => rm(path, { recursive: true, force: true })),
    );
    await mkdir(clusterPaths.containerd, { recursive: true });
    return {};
  }
  for (const index of indexes)
    await copyFile(join(clusterPaths.savedIndexes, index), join(clusterPaths.containerd, index));
  const stray = (await readdir(snapshots)).filter((name) => !saved.snapshots.includes(name));
  for (const name of stray) await rm(join(snapshots, name), { recursive: true });
  return saved.imported;
}

/** Saves the state of containerd's folder. containerd must not run. */
export async function saveImageStore(imported: SavedState["imported"]): Promise<void> {
  await rm(savedStatePath, { force: true });
  for (const index of indexes) {
    await mkdir(dirname(join(clusterPaths.savedIndexes, index)), { recursive: true });
    await copyFile(join(clusterPaths.containerd, index), join(clusterPaths.savedIndexes, index));
  }
  // The layers must be on disk before the copies of the indexes are valid: the machine can lose power.
  await succeeded("sync", ["--file-system", clusterPaths.containerd]);
  const saved: SavedState = { snapshots: await readdir(snapshots), imported };
  await writeFile(`${savedStatePath}.new`, JSON.stringify(saved));
  await rename(`${savedStatePath}.new`, savedStatePath);
}

async function readSavedState(): Promise<SavedState | undefined> {
  try {
    return JSON.parse(await readFile(savedStatePath, "utf8"));
  } catch {
    return undefined;
  }
}
