import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { executable, type Report } from "./binaries.ts";
import { withLock } from "./build-lock.ts";
import { completed } from "./completed.ts";

/** A program that is built from the Go module proxy. */
export interface GoProgram {
  readonly name: string;
  /** The folder whose go.mod and go.sum pin the program and all it is made of; its own name is that of the project. */
  readonly module: string;
  readonly package: string;
  /** The Go module whose version is the program's: it stands in go.mod. */
  readonly versionOf: string;
  /** Settings for the linker, as `-X` has them: `path.name=value`. */
  readonly stamp?: (version: string) => readonly string[];
}

/** Programs that are built and kept together. */
export interface GoPrograms {
  /** As progress is told: "control plane". */
  readonly title: string;
  /** Folder below `$XDG_CACHE_HOME/mlflow-operator`. */
  readonly cache: string;
  /** In the order in which they are built. */
  readonly programs: readonly GoProgram[];
  /** How long all of it takes on an idle machine, for people. */
  readonly takes: string;
  /** What is asked of somebody whose machine has no Go, as a sentence. */
  readonly withoutGo: string;
}

/** How often a build that runs says so. */
const progressSeconds = 15;

/**
 * The programs' paths, in order: from the cache, built there first if they are not in it (each step is reported).
 * Safe against crashes and against a second process that builds at the same time.
 */
export async function builtPrograms(wanted: GoPrograms, report: Report): Promise<readonly string[]> {
  const directory = await cacheDirectory(wanted);
  const paths = wanted.programs.map(({ name }) => join(directory, name));
  if (!(await allThere(paths))) {
    await mkdir(directory, { recursive: true });
    const waiting = (owner: number) => report(`${wanted.title}: process ${owner} is building it; waiting for that.`);
    await withLock(join(directory, ".lock"), waiting, () => buildMissing(wanted, directory, report));
  }
  return paths;
}

async function allThere(paths: readonly string[]): Promise<boolean> {
  return (await Promise.all(paths.map(executable))).every((path) => path !== undefined);
}

async function buildMissing({ title, programs, takes }: GoPrograms, directory: string, report: Report): Promise<void> {
  await Promise.all((await leftHalfBuilt(directory)).map((name) => rm(join(directory, name))));
  const missing: GoProgram[] = [];
  for (const program of programs) if (!(await executable(join(directory, program.name)))) missing.push(program);
  if (missing.length === 0) return;
  const began = Date.now();
  const tell: Report = (line) => report(`${title}: ${line}`);
  tell(`building ${missing.map(({ name }) => name).join(", ")} from Go modules, once; ${takes}.`);
  for (const [index, program] of missing.entries()) {
    const after = missing.slice(index + 1).map(({ name }) => name);
    await build(program, directory, after, tell);
  }
  tell(`built in ${seconds(began)}, kept in ${directory}`);
}

async function leftHalfBuilt(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith(".half-"));
}

async function build(program: GoProgram, directory: string, after: readonly string[], report: Report): Promise<void> {
  const began = Date.now();
  const version = await versionOf(program);
  const stamps = program.stamp?.(version) ?? [];
  const next = after.length > 0 ? `then ${after.join(", ")}` : "the last one";
  let done = "starting";
  const tell = () => report(`${program.name} ${version}: ${seconds(began)}, ${done}; ${next}`);
  tell();
  let compiled = 0;
  const timer = setInterval(tell, progressSeconds * 1000);
  // Named by pid: a compiler that outlived a killed process must not write into what its successor builds.
  const half = join(directory, `.half-${process.pid}-${program.name}`);
  try {
    const { code, stderr } = await go(
      ["build", "-v", "-mod=readonly", "-ldflags", ["-s -w", ...stamps].join(" -X "), "-o", half, program.package],
      program.module,
      (line) => {
        done = line.startsWith("go: downloading") ? "downloading modules" : `${++compiled} packages compiled`;
      },
    );
    if (code !== 0) {
      const why = stderr
        .split("\n")
        .filter((line) => !line.startsWith("go: downloading"))
        .slice(-20)
        .join("\n");
      throw new Error(`go could not build ${program.name} ${version}: ${why}`);
    }
  } finally {
    clearInterval(timer);
  }
  await rename(half, join(directory, program.name));
  report(`${program.name} ${version}: built in ${seconds(began)}`);
}

/** `$XDG_CACHE_HOME/mlflow-operator/<cache>/<versions>-<toolchain>-<hash of what pins the build>`. */
async function cacheDirectory({ cache, programs, withoutGo }: GoPrograms): Promise<string> {
  const modules = [...new Map(programs.map((program) => [program.module, program])).values()];
  const first = modules[0]?.module ?? ".";
  const { code, stdout, stderr } = await go(["env", "GOVERSION", "GOOS", "GOARCH"], first).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new Error(withoutGo, { cause: error });
    throw error;
  });
  if (code !== 0) throw new Error(`${withoutGo} "go env" said: ${stderr.trim()}`);
  const pins = createHash("sha256");
  for (const { module } of programs)
    for (const file of ["go.mod", "go.sum"]) pins.update(await readFile(join(module, file)));
  const versions = await Promise.all(
    modules.map(async (program) => `${basename(program.module)}-${await versionOf(program)}`),
  );
  const key = [...versions, ...stdout.trim().split("\n"), pins.digest("hex").slice(0, 8)];
  const home = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(home, "mlflow-operator", cache, key.join("-"));
}

async function versionOf({ module, versionOf: path }: GoProgram): Promise<string> {
  const lines = (await readFile(join(module, "go.mod"), "utf8")).split("\n");
  const words = lines.map((line) =>
    line
      .replace(/^require /, "")
      .trim()
      .split(" "),
  );
  const version = words.find(([name]) => name === path)?.[1];
  if (!version) throw new Error(`${join(module, "go.mod")} does not name the version to build: restore it.`);
  return version;
}

function go(args: readonly string[], module: string, onStderrLine?: (line: string) => void) {
  // Pure Go, so that no C compiler is needed. The flags of somebody's own work (-mod=vendor, say) do not fit here.
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" };
  return completed("go", args, { cwd: module, env, ...(onStderrLine && { onStderrLine }) });
}

function seconds(began: number): string {
  const total = Math.round((Date.now() - began) / 1000);
  return total < 60 ? `${total} s` : `${Math.floor(total / 60)} min ${total % 60} s`;
}
