import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../../python/src");

/**
 * The files of python/src by their path in it. The build replaces this module by their texts (scripts/build.ts), so that the operator reads no
 * file; from source, for example in tests, they are read once.
 */
export const pythonTexts: Readonly<Record<string, string>> = Object.fromEntries(
  globSync("**/*.py", { cwd: folder })
    .toSorted()
    .map((file) => [file, readFileSync(join(folder, file), "utf8")]),
);
