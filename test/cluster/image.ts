import { createHash } from "node:crypto";
import { readdir, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";

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
}

/** Hash of all that an image is made of in this tree; what registries send is pinned in there or may vary. */
export async function contentHash(image: Image): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([image.reference, image.buildArgs ?? {}, image.onDebian ?? false]));
  const names = (await readdir(image.directory)).sort();
  for (const name of names.filter((each) => isUsed(image, each)))
    hash.update(`\0${name}\0`).update(await readFile(join(image.directory, name)));
  // Programs lie in folders that are named by what they are built from.
  for (const [name, path] of Object.entries(image.files ?? {})) hash.update(`\0${name}\0${await realpath(path)}`);
  return hash.digest("hex").slice(0, 12);
}

/** A lock of another version changes nothing for this one. */
function isUsed({ buildArgs }: Image, name: string): boolean {
  const version = /^requirements-(.*)\.lock$/.exec(name)?.[1];
  return version === undefined || version === buildArgs?.["MLFLOW_VERSION"];
}
