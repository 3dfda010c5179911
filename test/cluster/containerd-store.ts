import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { succeeded } from "../control-plane/completed.ts";
import { places } from "./places.ts";

/** containerd's indexes, below its folder. Its other databases hold nothing that outlives a pod. */
const indexes = ["io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"];
const snapshots = join(places.containerd, "io.containerd.snapshotter.v1.overlayfs/snapshots");

interface Kept {
  /** The folders of unpacked layers. */
  readonly snapshots: readonly string[];
  /** The hash of the archive that was imported, by the image's reference. */
  readonly imported: Readonly<Record<string, string>>;
}

const keptPath = join(places.pristine, "kept.json");

/**
 * Brings containerd's folder back to how {@link keep} saw it: images and no containers, whatever ran since and however
 * it ended. Without a kept state, or with a damaged one, the folder is emptied. Gives the images that are there.
 */
export async function restore(): Promise<Kept["imported"]> {
  const kept = await readKept();
  if (!kept) {
    await Promise.all([places.containerd, places.pristine].map((path) => rm(path, { recursive: true, force: true })));
    await mkdir(places.containerd, { recursive: true });
    return {};
  }
  for (const index of indexes) await copyFile(join(places.pristine, index), join(places.containerd, index));
  const stray = (await readdir(snapshots)).filter((name) => !kept.snapshots.includes(name));
  for (const name of stray) await rm(join(snapshots, name), { recursive: true });
  return kept.imported;
}

/** Keeps how containerd's folder is now. containerd must not run. */
export async function keep(imported: Kept["imported"]): Promise<void> {
  await rm(keptPath, { force: true });
  for (const index of indexes) {
    await mkdir(dirname(join(places.pristine, index)), { recursive: true });
    await copyFile(join(places.containerd, index), join(places.pristine, index));
  }
  // What the copies speak of must be on the disk before they count: the machine may lose its power.
  await succeeded("sync", ["--file-system", places.containerd]);
  const kept: Kept = { snapshots: await readdir(snapshots), imported };
  await writeFile(`${keptPath}.new`, JSON.stringify(kept));
  await rename(`${keptPath}.new`, keptPath);
}

async function readKept(): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(keptPath, "utf8"));
  } catch {
    return undefined;
  }
}
