/**
 * Writes the files that are generated from the source: the CRD, the chart's copy, the chart's ClusterRole, the reference page.
 * With --check it writes nothing, prints each file that differs and exits with code 1.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { GeneratedFile } from "./generate/generated-file.ts";
import { knownFields } from "./generate/known-fields.ts";

const root = join(import.meta.dirname, "..");
const check = process.argv.includes("--check");

let stale = 0;
await update([knownFields()]);
// The manifests of the examples are rendered with the files written before.
if (!check || stale === 0) await update((await import("./generate/files.ts")).generatedFiles());
if (check && stale > 0) {
  console.error("run: npm run generate");
  process.exitCode = 1;
}

async function update(files: readonly GeneratedFile[]): Promise<void> {
  for (const { path, content } of files) {
    const before = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (before === content) continue;
    stale += 1;
    if (check) {
      console.error(`${path} ${before === undefined ? "is missing" : "differs from the source"}`);
      continue;
    }
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    console.log(`${path} written`);
  }
}
