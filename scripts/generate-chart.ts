/**
 * Writes the files that Helm generates from the chart: the goldens of its tests and config/base/operator.yaml. Separate from the other
 * generated files, since it needs Helm, which is built once from Go modules in a few minutes.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { chartFiles } from "../test/chart/files.ts";

const root = join(import.meta.dirname, "..");
for (const { path, content } of await chartFiles()) {
  const before = await readFile(join(root, path), "utf8").catch(() => undefined);
  if (before === content) continue;
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
  console.log(`${path} written`);
}
