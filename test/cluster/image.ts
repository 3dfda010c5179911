import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";

/** An image that the tests build from a Dockerfile. */
export interface Image {
  /** The image reference in pods. */
  readonly reference: string;
  /** The folder of the Dockerfile and the files that it copies. */
  readonly directory: string;
  /** Files from other folders, by their name in the Dockerfile. */
  readonly files?: Readonly<Record<string, string>>;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Whether it is built on the replacement for Debian's image, in the build argument BASE. */
  readonly onDebian?: boolean;
  /** Whether it is built on the replacement for Node's image, in the build argument NODE_IMAGE. */
  readonly onNode?: boolean;
}

/** Returns a hash of all files in this repository that an image is built from; packages are pinned in them or can vary. */
export async function contentHash(image: Image): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([image.reference, image.buildArgs ?? {}, image.onDebian ?? false]));
  for (const name of await filesOf(image))
    hash.update(`\0${name}\0`).update(await readFile(join(image.directory, name)));
  // The folder names of programs contain a hash of their sources.
  for (const [name, path] of Object.entries(image.files ?? {})) hash.update(`\0${name}\0${await realpath(path)}`);
  return hash.digest("hex").slice(0, 12);
}

/** Returns the sorted files and folders that an image is built from: those that .dockerignore includes, otherwise all. */
export async function contextOf({ directory }: Image): Promise<readonly string[]> {
  const all = await readdir(directory);
  if (!all.includes(".dockerignore")) return all.sort();
  const lines = (await readFile(join(directory, ".dockerignore"), "utf8")).trim().split("\n");
  const [first, ...others] = lines;
  if (first !== "*" || !others.every((line) => /^![^*]+$/.test(line)))
    throw new Error(
      `${join(directory, ".dockerignore")}: exclude everything with "*", then include paths with "!path".`,
    );
  return [".dockerignore", "Dockerfile", ...others.map((line) => line.slice(1))].sort();
}

async function filesOf(image: Image): Promise<readonly string[]> {
  const names = (await contextOf(image)).filter((name) => isUsed(image, name));
  const files = names.map(async (name) => {
    if ((await stat(join(image.directory, name))).isFile()) return [name];
    const below = await readdir(join(image.directory, name), { recursive: true, withFileTypes: true });
    return below
      .filter((entry) => entry.isFile())
      .map((entry) => relative(image.directory, join(entry.parentPath, entry.name)));
  });
  return (await Promise.all(files)).flat().sort();
}

/** Whether a file is used: lock files of other versions are not. */
function isUsed({ buildArgs }: Image, name: string): boolean {
  const version = /^requirements-(.*)\.lock$/.exec(name)?.[1];
  return version === undefined || version === buildArgs?.["MLFLOW_VERSION"];
}
