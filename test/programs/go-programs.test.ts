import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { completed } from "../control-plane/completed.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";

const { stdout = "", code } = await completed("go", ["env", "GOCACHE"]).catch(() => ({ code: 1, stdout: "" }));
const skip = code !== 0 && "needs Go";
const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-go-"));
after(() => rm(directory, { recursive: true }));
// Compiled packages stay in the build cache of Go.
process.env["GOCACHE"] = stdout.trim();
process.env["XDG_CACHE_HOME"] = join(directory, "cache");

async function moduleOf(name: string, programs: readonly string[]): Promise<GoModule> {
  const folder = join(directory, name);
  const files = {
    "go.mod": `module test/${name}\n\ngo 1.26.0\n`,
    ...Object.fromEntries(programs.map((program) => [`cmd/${program}/main.go`, "package main\n\nfunc main() {}\n"])),
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return {
    directory: folder,
    packages: Object.fromEntries(programs.map((program) => [program, `./cmd/${program}`])),
  };
}

test("builds the requested programs together, and later only missing ones", { skip }, async () => {
  const module = await moduleOf("several", ["one", "two", "three", "four"]);
  const reports: string[] = [];
  const report = (line: string) => void reports.push(line);
  const first = await goPrograms(module, report, ["one", "two"]);
  assert.deepEqual(Object.keys(first), ["one", "two"]);
  const folder = dirname(first["one"] ?? "");
  assert.deepEqual((await readdir(folder)).sort(), ["one", "two"]);
  assert.equal(reports.filter((line) => /^one, two: built in/.test(line)).length, 1);
  const built = await stat(first["one"] ?? "");

  const all = await goPrograms(module, report);
  assert.deepEqual(Object.keys(all), ["one", "two", "three", "four"]);
  for (const path of Object.values(all)) assert.equal((await completed(path, [])).code, 0, path);
  assert.equal(reports.filter((line) => /^three, four: built in/.test(line)).length, 1);
  assert.equal((await stat(first["one"] ?? "")).mtimeMs, built.mtimeMs);
});

test("builds modules concurrently, and reports why one fails", { skip }, async () => {
  const modules = await Promise.all(["a", "b", "c", "d"].map((name) => moduleOf(name, [name])));
  await writeFile(join(directory, "b/cmd/b/main.go"), "package main\n\nfunc main() { absent() }\n");
  const results = await Promise.allSettled(modules.map((module) => goPrograms(module, () => {})));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "fulfilled"],
  );
  const [, failure] = results;
  assert.match(String(failure?.status === "rejected" && failure.reason), /go could not build b: .*undefined: absent/s);
});
