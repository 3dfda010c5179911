import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { supportedVersions } from "../../src/api/versions.ts";
import type { Report } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { imagesWithID, importArchive, startContainerd, stopContainerd } from "./containerd.ts";
import { restoreImageStore, saveImageStore } from "./containerd-store.ts";
import type { Image } from "./image.ts";
import { type Archive, archiveOf, archivePath } from "./image-archive.ts";
import { imageNamed, imageNames, systemImages } from "./image-catalogue.ts";
import type { Machine } from "./machine.ts";
import type { Programs } from "./programs.ts";

/** The archives in containerd: hash by reference. */
const importedPath = join(clusterPaths.state, "imported.json");

/** Returns the archives of the system images, which it builds if needed, and of all other images that were built before. */
export async function knownArchives(programs: Programs, report: Report): Promise<readonly Archive[]> {
  const archives: Archive[] = [];
  for (const image of systemImages(programs)) archives.push(await archiveOf(image, report));
  for (const name of [...imageNames, ...supportedVersions.map((version) => `mlflow-server:${version}`)]) {
    const image = imageNamed(name);
    if (existsSync(await archivePath(image))) archives.push(await archiveOf(image, report));
  }
  return archives;
}

/** Starts containerd with the images in `archives` and no container. New images are saved for the next start. */
export async function startContainerdWithImages(
  machine: Machine,
  programs: Programs,
  archives: readonly Archive[],
  report: Report,
): Promise<void> {
  const before = await restoreImageStore();
  await startContainerd(machine, programs);
  const known = await imagesWithID(machine, programs);
  const missing = archives.filter(({ reference, hash }) => before[reference] !== hash || !known.has(reference));
  for (const archive of missing) await imported(machine, programs, archive, report);
  const now = { ...before, ...Object.fromEntries(archives.map(({ reference, hash }) => [reference, hash])) };
  await writeFile(importedPath, JSON.stringify(now));
  if (missing.length === 0) return;
  await stopContainerd(machine, programs);
  await saveImageStore(now);
  await startContainerd(machine, programs);
}

/**
 * Builds and imports images that containerd does not have; returns their references, in the same order. Only one process at a time
 * imports: all record imported images in one file.
 */
export async function provideImages(
  machine: Machine,
  programs: Programs,
  images: readonly Image[],
  report: Report,
): Promise<readonly string[]> {
  const references: string[] = [];
  for (const image of images) {
    const archive = await archiveOf(image, report);
    await withLock(
      `${importedPath}.lock`,
      () => {},
      async () => {
        const known: Record<string, string> = JSON.parse(await readFile(importedPath, "utf8"));
        const present = await imagesWithID(machine, programs);
        if (known[archive.reference] === archive.hash && present.has(archive.reference)) return;
        await imported(machine, programs, archive, report);
        await writeFile(importedPath, JSON.stringify({ ...known, [archive.reference]: archive.hash }));
      },
    );
    references.push(archive.reference);
  }
  return references;
}

async function imported(machine: Machine, programs: Programs, archive: Archive, report: Report): Promise<void> {
  const began = Date.now();
  await importArchive(machine, programs, archive);
  report(`images: ${archive.reference} imported in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
