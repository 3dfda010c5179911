import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { succeeded } from "../control-plane/completed.ts";
import { cacheDirectory, type GoModule, goPrograms } from "../control-plane/go-programs.ts";
import type { Image } from "./image.ts";

const folder = (name: string) => join(import.meta.dirname, "images", name);

const fakeGcs = {
  directory: join(import.meta.dirname, "go", "fake-gcs-server"),
  packages: { "fake-gcs-server": "." },
} as const satisfies GoModule;

/** The path of fake-gcs-server, Google Cloud Storage for tests, built once from its Go module: about a minute of one core. */
export async function fakeGcsProgram(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(fakeGcs, report))["fake-gcs-server"] ?? "";
}

/** The image that pods run. */
export async function fakeGcsImage(report: Report = reportOnStderr): Promise<Image> {
  return {
    reference: "localhost/fake-gcs-server:1",
    directory: folder("fake-gcs-server"),
    files: { "fake-gcs-server": await fakeGcsProgram(report) },
  };
}

/** Azurite with its lock file. */
const packages = join(import.meta.dirname, "azurite");

const azuriteVersion = "3.37.0";

/** The image of Azurite, Azure Blob Storage for tests, on Node. */
export async function azuriteImage(report: Report = reportOnStderr): Promise<Image> {
  return {
    reference: `localhost/azurite:${azuriteVersion}`,
    directory: folder("azurite"),
    files: { "azurite.cjs": await azuriteProgram(report) },
    onNode: true,
  };
}

/** The path of Azurite as one file, built once from npm's registry: its packages have 360 MB. */
export async function azuriteProgram(report: Report = reportOnStderr): Promise<string> {
  const directory = join(cacheDirectory(), `azurite-${azuriteVersion}`);
  const program = join(directory, "azurite.cjs");
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  const waiting = (owner: number) => report(`azurite: process ${owner} is building it; waiting for that.`);
  await withLock(join(directory, ".lock"), waiting, async () => {
    for (const left of (await readdir(directory)).filter((each) => each.startsWith("draft-")))
      await rm(join(directory, left), { recursive: true });
    if (!existsSync(program)) await buildAzurite(directory, program, report);
  });
  return program;
}

/** Drivers of databases, which Azurite loads only if it is configured to use one. */
const unused = ["pg", "pg-hstore", "sqlite3", "tedious", "mysql2", "mariadb", "oracledb", "ibm_db", "snowflake-sdk"];

async function buildAzurite(directory: string, program: string, report: Report): Promise<void> {
  const began = Date.now();
  const draft = await mkdtemp(join(directory, "draft-"));
  report(`azurite ${azuriteVersion}: building it from npm's registry, once`);
  try {
    for (const file of ["package.json", "package-lock.json"]) await copyFile(join(packages, file), join(draft, file));
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    await succeeded("npm", ["ci", ...quiet], { cwd: draft });
    // Telemetry is disabled, but its client is loaded at the start.
    await writeFile(join(draft, "no-telemetry.cjs"), "module.exports = {};\n");
    await build({
      entryPoints: [join(draft, "node_modules/azurite/dist/src/blob/main.js")],
      outfile: join(draft, "azurite.cjs"),
      bundle: true,
      platform: "node",
      format: "cjs",
      logLevel: "error",
      external: unused,
      alias: { applicationinsights: join(draft, "no-telemetry.cjs") },
    });
    await rename(join(draft, "azurite.cjs"), program);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  report(`azurite ${azuriteVersion}: built in ${Math.round((Date.now() - began) / 1000)} s`);
}
