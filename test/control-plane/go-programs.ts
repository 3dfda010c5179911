import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { executable, type Report } from "./binaries.ts";
import { withLock } from "./build-lock.ts";
import { completed } from "./completed.ts";

/** A folder whose go.mod and go.sum pin programs and their dependencies, or with a program of this project. */
export interface GoModule {
  readonly directory: string;
  /** Packages by program name; relative (`.`) for programs of this project. */
  readonly packages: Readonly<Record<string, string>>;
  /** Linker flags that set the version of a program, which is otherwise often v0.0.0. */
  readonly stamp?: (version: string) => string;
  /** Of the builds that wait, this one starts first: it takes the longest, and most tests need it. */
  readonly isFirst?: boolean;
  /** Message if Go is not installed. */
  readonly withoutGo?: string;
}

/** Interval of progress reports. */
const progressSeconds = 15;

/** Number of concurrent builds: one compiles while the other downloads or links. Linking needs 2 GiB. */
const concurrentBuilds = 2;

/** `$XDG_CACHE_HOME/mlflow-operator`, `~/.cache/mlflow-operator` by default: for everything that is built once and kept. */
export function cacheDirectory(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "mlflow-operator");
}

/**
 * Returns the paths of the programs of a module by name (default: all), from the cache. Missing programs are built from the Go
 * module proxy in one build, so that shared packages are compiled once (minutes, with progress). Safe against crashes and
 * concurrent builds by other processes.
 */
export async function goPrograms(
  module: GoModule,
  report: Report,
  names: readonly string[] = Object.keys(module.packages),
): Promise<Readonly<Record<string, string>>> {
  const directory = await programDirectory(module);
  const paths = Object.fromEntries(names.map((name) => [name, join(directory, name)]));
  if ((await missing(paths)).length > 0) {
    await mkdir(directory, { recursive: true });
    const title = basename(module.directory);
    const waiting = (owner: number) => report(`${title}: process ${owner} is building it; waiting for that.`);
    await withLock(join(directory, ".lock"), waiting, async () => {
      for (const name of (await readdir(directory)).filter((each) => each.startsWith(".partial-")))
        await rm(join(directory, name), { recursive: true });
      const unbuilt = await missing(paths);
      if (unbuilt.length > 0) await inTurn(() => build(module, unbuilt, directory, report), module.isFirst);
    });
  }
  return paths;
}

async function missing(paths: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const found = await Promise.all(Object.values(paths).map(executable));
  return Object.keys(paths).filter((_, index) => found[index] === undefined);
}

let running = 0;
const queue: (() => void)[] = [];

async function inTurn(work: () => Promise<void>, isFirst = false): Promise<void> {
  if (running >= concurrentBuilds)
    await new Promise<void>((resolve) => (isFirst ? queue.unshift(resolve) : queue.push(resolve)));
  else running += 1;
  try {
    await work();
  } finally {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  }
}

async function build(module: GoModule, names: readonly string[], directory: string, report: Report): Promise<void> {
  const began = Date.now();
  const title = [names.join(", "), await versionOf(module)].filter(Boolean).join(" ");
  let done = "starting";
  const reportProgress = () => report(`${title}: building from Go modules, once: ${seconds(began)}, ${done}`);
  reportProgress();
  let compiled = 0;
  const timer = setInterval(reportProgress, progressSeconds * 1000);
  // Named by pid: a compiler of a killed process must not write into the folder of its successor.
  const partial = join(directory, `.partial-${process.pid}`);
  await mkdir(partial);
  const packages = names.map((name) => module.packages[name] ?? ".");
  // For several programs go chooses the names, from the last part of each package path.
  const output = names.length === 1 ? join(partial, names[0] ?? "") : partial;
  const flags = `-s -w ${module.stamp?.(await versionOf(module)) ?? ""}`;
  try {
    const { code, stderr } = await go(
      ["build", "-v", "-mod=readonly", "-ldflags", flags, "-o", output, ...packages],
      module.directory,
      (line) => {
        done = line.startsWith("go: downloading") ? "downloading modules" : `${++compiled} packages compiled`;
      },
    );
    if (code !== 0) {
      const lines = stderr.split("\n").filter((line) => !line.startsWith("go: downloading"));
      throw new Error(`go could not build ${title}: ${lines.slice(-20).join("\n")}`);
    }
  } finally {
    clearInterval(timer);
  }
  for (const name of names) await rename(join(partial, name), join(directory, name));
  await rm(partial, { recursive: true });
  report(`${title}: built in ${seconds(began)}`);
}

/** Returns one folder for each module, version, toolchain and content of go.mod and go.sum. */
async function programDirectory(module: GoModule): Promise<string> {
  const { withoutGo = noGo } = module;
  const { code, stdout, stderr } = await go(["env", "GOVERSION", "GOOS", "GOARCH"], module.directory).catch(
    (error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT")
        throw new Error(withoutGo, { cause: error });
      throw error;
    },
  );
  if (code !== 0) throw new Error(`${withoutGo} "go env" failed: ${stderr.trim()}`);
  const pins = createHash("sha256");
  for await (const file of filesOf(module.directory))
    pins.update(`${file}\0`).update(await readFile(join(module.directory, file)));
  const key = [
    basename(module.directory),
    await versionOf(module),
    ...stdout.trim().split("\n"),
    pins.digest("hex").slice(0, 8),
  ];
  return join(cacheDirectory(), "go", key.filter(Boolean).join("-"));
}

/** Paths relative to `directory`, sorted. */
async function* filesOf(directory: string): AsyncGenerator<string> {
  for (const path of (await readdir(directory, { recursive: true })).sort())
    if ((await stat(join(directory, path))).isFile()) yield path;
}

/**
 * Returns the source folder of a dependency of `module`, which contains definitions and examples. The sources are downloaded if they are
 * missing: the programs can come from a cache without them.
 */
export async function goModuleFolder({ directory }: GoModule, path: string): Promise<string> {
  const { code, stdout, stderr } = await go(["mod", "download", "-json", path], directory);
  if (code !== 0) throw new Error(`go has no sources of ${path}: ${stderr.trim() || stdout.trim()}`);
  const { Dir }: { Dir: string } = JSON.parse(stdout);
  return Dir;
}

const noGo = "A Kubernetes for the tests can be built here with Go >= 1.26: install Go.";

/** The version of the module with the programs in go.mod; empty for a program of this project. */
async function versionOf({ directory, packages }: GoModule): Promise<string> {
  const text = await readFile(join(directory, "go.mod"), "utf8");
  const required = [...text.matchAll(/^(?:require\s+)?\s*([\w./-]+) (v\S+)/gm)];
  const first = Object.values(packages)[0] ?? ".";
  return required.find(([, path = ""]) => first === path || first.startsWith(`${path}/`))?.[2] ?? "";
}

function go(args: readonly string[], cwd: string, onStderrLine?: (line: string) => void) {
  // Without cgo, so that no C compiler is needed. Flags of the user, such as -mod=vendor, are not used.
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" };
  return completed("go", args, { cwd, env, ...(onStderrLine && { onStderrLine }) });
}

function seconds(began: number): string {
  const total = Math.round((Date.now() - began) / 1000);
  return total < 60 ? `${total} s` : `${Math.floor(total / 60)} min ${total % 60} s`;
}
