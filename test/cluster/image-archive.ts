import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Report } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { baseArguments, contextPrefix } from "./base-images.ts";
import { buildFrom, runBuildah } from "./buildah.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { contentHash, contextOf, type Image } from "./image.ts";

/** An image as a file, in the format of `docker save`. */
export interface Archive {
  readonly reference: string;
  readonly hash: string;
  readonly path: string;
}

/** Returns the archive of an image; builds it if its content has changed (a minute for large images). One build at a time. */
export async function archiveOf(image: Image, report: Report): Promise<Archive> {
  const archive = { reference: image.reference, hash: await contentHash(image), path: await archivePath(image) };
  await mkdir(clusterPaths.images, { recursive: true });
  if (existsSync(archive.path)) return archive;
  const waiting = (owner: number) => report(`images: waiting for a build of process ${owner}`);
  await withLock(join(clusterPaths.images, ".lock"), waiting, async () => {
    if (!existsSync(archive.path)) await build(image, archive, report);
  });
  return archive;
}

/** Returns the path of the archive for the image's current content. */
export async function archivePath(image: Image): Promise<string> {
  return join(clusterPaths.images, `${stemOf(image)}-${await contentHash(image)}.tar`);
}

function stemOf({ reference }: Image): string {
  return reference.replace(/^.*\//, "").replace(":", "-");
}

async function build(image: Image, archive: Archive, report: Report): Promise<void> {
  const began = Date.now();
  for (const name of await readdir(clusterPaths.images))
    if (name.startsWith(contextPrefix)) await rm(join(clusterPaths.images, name), { recursive: true });
  const baseArgs = await baseArguments(image, report);
  report(`images: building ${image.reference}`);
  const context = await mkdtemp(join(clusterPaths.images, contextPrefix));
  try {
    for (const name of await contextOf(image))
      await cp(join(image.directory, name), join(context, name), { recursive: true });
    for (const [name, path] of Object.entries(image.files ?? {})) await copyFile(path, join(context, name));
    await buildFrom(context, image.reference, { ...image.buildArgs, ...baseArgs });
    const unfinished = join(context, "image.tar");
    await runBuildah(["push", "--quiet", image.reference, `docker-archive:${unfinished}:${image.reference}`]);
    await runBuildah(["rmi", image.reference]);
    for (const name of await readdir(clusterPaths.images))
      if (name.startsWith(`${stemOf(image)}-`)) await rm(join(clusterPaths.images, name));
    await rename(unfinished, archive.path);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  report(`images: ${image.reference} built in ${Math.round((Date.now() - began) / 1000)} s`);
}
