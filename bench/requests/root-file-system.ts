import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { clusterPaths } from "../../test/cluster/cluster-paths.ts";
import { type Archive, archiveOf } from "../../test/cluster/image-archive.ts";
import { type ImageName, imageNamed } from "../../test/cluster/image-catalogue.ts";

const run = promisify(execFile);

/** Returns the root file system of an image, unpacked once and shared: mount volumes for writable paths. */
export async function rootFileSystem(name: ImageName, say: (line: string) => void): Promise<string> {
  const archive = await archiveOf(imageNamed(name), say);
  const path = join(clusterPaths.root, "unpacked", `${name.replace(":", "-")}-${archive.hash}`);
  if (existsSync(path)) return path;
  say(`Unpacking ${archive.reference}.`);
  const half = `${path}.half`;
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { recursive: true });
  await unpack(archive, half);
  await rename(half, path);
  return path;
}

async function unpack({ path }: Archive, to: string): Promise<void> {
  const layers = `${to}.layers`;
  await mkdir(layers, { recursive: true });
  await run("tar", ["-xf", path, "-C", layers]);
  const [manifest]: { Layers: string[] }[] = JSON.parse(await readFile(join(layers, "manifest.json"), "utf8"));
  for (const layer of manifest?.Layers ?? []) {
    const { stdout } = await run("tar", ["-tf", join(layers, layer)], { maxBuffer: 1 << 28 });
    // A file .wh.x marks the deletion of x in this layer.
    for (const [, folder = "", name] of stdout.matchAll(/^(.*\/)?\.wh\.(.+)$/gm))
      await rm(join(to, folder, name ?? ""), { recursive: true, force: true });
    await run("tar", ["-xf", join(layers, layer), "-C", to, "--exclude=.wh.*"]);
  }
  await rm(layers, { recursive: true });
}
