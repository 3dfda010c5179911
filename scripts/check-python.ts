/**
 * Checks the Python project with the tools of python/requirements.lock: format and lint (ruff), types (mypy), the tests that need no MLflow (pytest).
 * Without arguments it runs all; the arguments `lint`, `types` and `tests` choose.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { completed, succeeded } from "../test/control-plane/completed.ts";
import { cacheDirectory } from "../test/control-plane/go-programs.ts";

const root = join(import.meta.dirname, "..");
const project = join(root, "python");
const lock = join(project, "requirements.lock");

const steps: Readonly<Record<string, readonly (readonly string[])[]>> = {
  lint: [
    ["ruff", "format", "--check", "--no-cache", "."],
    ["ruff", "check", "--no-cache", "."],
  ],
  types: [["mypy", "--cache-dir", join(root, "node_modules", ".cache", "mypy")]],
  tests: [["pytest"]],
};

/** Returns the Python of a virtual environment with the packages of the lock file, in the cache. Modules of it run with `-m`. */
async function python(): Promise<string> {
  const version = await succeeded("python3", ["--version"]);
  const hash = createHash("sha256").update(await readFile(lock));
  const name = hash.update(version).digest("hex").slice(0, 16);
  const folder = join(cacheDirectory(), "python-tools");
  const environment = join(folder, name);
  if (!existsSync(environment)) {
    await mkdir(folder, { recursive: true });
    const draft = await mkdtemp(join(folder, ".draft-"));
    try {
      await succeeded("python3", ["-m", "venv", draft]);
      const options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"];
      await succeeded(join(draft, "bin", "python"), ["-m", "pip", "install", ...options, "--requirement", lock]);
      // Another process may have been faster.
      await rename(draft, environment).catch((error: unknown) => {
        if (!existsSync(environment)) throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  return join(environment, "bin", "python");
}

const names = process.argv.slice(2);
const unknown = names.find((name) => !(name in steps));
if (unknown !== undefined) throw new Error(`Unknown check "${unknown}". Use ${Object.keys(steps).join(", ")}.`);

const program = await python();
for (const [module = "", ...args] of (names.length > 0 ? names : Object.keys(steps)).flatMap(
  (name) => steps[name] ?? [],
)) {
  // Without bytecode files, which would be part of the operator's image.
  const { code, stdout, stderr } = await completed(program, ["-B", "-m", module, ...args], { cwd: project });
  process.stdout.write(stdout + stderr);
  if (code !== 0) process.exitCode = 1;
}
