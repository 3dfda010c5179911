import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";

/** An image that is built here from a Dockerfile. */
export interface Image {
  /** The name under which pods ask for it. */
  readonly reference: string;
  /** Holds the Dockerfile and what it copies. */
  readonly directory: string;
  /** Files to be copied from elsewhere, by the name that the Dockerfile gives them. */
  readonly files?: Readonly<Record<string, string>>;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Built on the stand-in for Debian, which the Dockerfile names in its argument BASE. */
  readonly onDebian?: boolean;
  /** Built on the stand-in for Node's image, which the Dockerfile names in its argument NODE_IMAGE. */
  readonly onNode?: boolean;
}

/** Hash of all that an image is made of in this tree; what registries send is pinned in there or may vary. */
export async function contentHash(image: Image): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([image.reference, image.buildArgs ?? {}, image.onDebian ?? false]));
  for (const name of await filesOf(image))
    hash.update(`\0${name}\0`).update(await readFile(join(image.directory, name)));
  // Programs lie in folders that are named by what they are built from.
  for (const [name, path] of Object.entries(image.files ?? {})) hash.update(`\0${name}\0${await realpath(path)}`);
  return hash.digest("hex").slice(0, 12);
}

/** The files and folders of its directory that an image is built from: what a .dockerignore lets in, else all. Sorted. */
export async function contextOf({ directory }: Image): Promise<readonly string[]> {
  const all = await readdir(directory);
  if (!all.includes(".dockerignore")) return all.sort();
  const lines = (await readFile(join(directory, ".dockerignore"), "utf8")).trim().split("\n");
  const [first, ...others] = lines;
  if (first !== "*" || !others.every((line) => /^![^*]+$/.test(line)))
    throw new Error(`${join(directory, ".dockerignore")}: shut everything out by "*", then let each in by "!path".`);
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

/** A lock of another version changes nothing for this one. */
function isUsed({ buildArgs }: Image, name: string): boolean {
  const version = /^requirements-(.*)\.lock$/.exec(name)?.[1];
  return version === undefined || version === buildArgs?.["MLFLOW_VERSION"];
}
