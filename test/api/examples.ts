import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadAll } from "js-yaml";

const folder = join(import.meta.dirname, "../../examples");

export interface Example {
  readonly file: string;
  readonly path: string;
  readonly documents: readonly unknown[];
}

/** All files in examples/. */
export async function examples(): Promise<Example[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".yaml")).sort();
  return Promise.all(
    files.map(async (file) => {
      const path = join(folder, file);
      return { file, path, documents: loadAll(await readFile(path, "utf8")) };
    }),
  );
}
