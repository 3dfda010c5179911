import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const source = join(import.meta.dirname, "../../src");
const heavy = ["zod", "@bufbuild/cel", "js-yaml", "commander"];

/** The imports of a file at run time, without `import type`, which type stripping removes. */
async function imported(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8");
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)";?$/gm);
  return [...statements].flatMap(([, type, from = ""]) => (type ? [] : [from]));
}

/** Packages that a file loads, directly or through others, with one import path for each. */
async function packages(file: string, way: readonly string[], seen: Set<string>): Promise<[string, string][]> {
  if (seen.has(file)) return [];
  seen.add(file);
  const here = [...way, relative(source, file)];
  const found: [string, string][] = [];
  for (const from of await imported(file)) {
    if (from.startsWith(".")) found.push(...(await packages(join(dirname(file), from), here, seen)));
    else found.push([from, here.join(" → ")]);
  }
  return found;
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(source, folder), { recursive: true }).catch(() => []);
  return entries.filter((name) => name.endsWith(".ts")).map((name) => join(source, folder, name));
}

test("the operator process loads neither zod, a CEL interpreter, a YAML parser nor commander, which need memory", async () => {
  const facts = ["server", "versions", "environment", "reasons", "defaults", "quantity"].map((name) =>
    join(source, "api", `${name}.ts`),
  );
  const layers = await Promise.all(["kube", "resources", "reconcile", "client", "runtime"].map(filesIn));
  const seen = new Set<string>();
  const loaded = [];
  for (const file of [...facts, ...layers.flat(), join(source, "main.ts")])
    loaded.push(...(await packages(file, [], seen)));
  assert.deepEqual(
    loaded.filter(([name]) => heavy.some((one) => name === one || name.startsWith(`${one}/`))),
    [],
  );
});

test("the test above detects imports: validation loads zod and CEL", async () => {
  const loaded = await packages(join(source, "api/validation.ts"), [], new Set());
  const names = new Set(loaded.map(([name]) => name));
  assert.ok(names.has("zod") && names.has("@bufbuild/cel"));
});
