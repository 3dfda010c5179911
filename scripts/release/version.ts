import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { releasedChangelog } from "./changelog.ts";

const semver = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$/;

/** Files with the version in a text that is not generated, and that text. */
const texts: Readonly<Record<string, (version: string) => readonly string[]>> = {
  "charts/mlflow-operator/Chart.yaml": (version) => [
    `\nversion: ${version}\n`,
    `\nappVersion: ${version}\n`,
    `/mlflow-operator:${version}\n`,
  ],
  "README.md": (version) => [`mlflow-operator:${version} `, `image.tag=${version} `],
  "docs/installation.md": (version) => [
    `mlflow-operator:${version} `,
    `image.tag=${version} `,
    `mlflow-operator-bundle:${version} `,
    `mlflow-operator-bundle:${version}\n`,
  ],
};

/** Returns the files of the project that change when its version becomes `next`, with their content. */
export async function versionFiles(
  root: string,
  next: string,
  date: string,
): Promise<Readonly<Record<string, string>>> {
  if (!semver.test(next))
    throw new Error(`"${next}" is not a semantic version: use a version such as 0.2.0, without v.`);
  const read = (path: string) => readFile(join(root, path), "utf8");
  const manifest = await read("package.json");
  const { version: current }: { version: string } = JSON.parse(manifest);
  if (compareVersions(next, current) < 0)
    throw new Error(`Version ${next} is older than ${current}, the version in package.json: use a newer one.`);
  const changed: Record<string, string> = {
    "CHANGELOG.md": releasedChangelog(await read("CHANGELOG.md"), next, date),
    "package.json": withVersion("package.json", manifest, (version) => [`"version": "${version}"`], current, next),
    "package-lock.json": await lockWithVersion(read, next),
  };
  for (const [path, of] of Object.entries(texts))
    changed[path] = withVersion(path, await read(path), of, current, next);
  return changed;
}

export async function writeVersion(root: string, next: string, date: string): Promise<readonly string[]> {
  const files = await versionFiles(root, next, date);
  for (const [path, content] of Object.entries(files)) await writeFile(join(root, path), content);
  return Object.keys(files);
}

function withVersion(
  path: string,
  text: string,
  of: (version: string) => readonly string[],
  current: string,
  next: string,
): string {
  const replacements = of(next);
  return of(current).reduce((result, from, index) => {
    if (!result.includes(from))
      throw new Error(`${path} does not contain ${JSON.stringify(from)}: update scripts/release/version.ts.`);
    return result.replaceAll(from, replacements[index] ?? "");
  }, text);
}

async function lockWithVersion(read: (path: string) => Promise<string>, next: string): Promise<string> {
  const lock = JSON.parse(await read("package-lock.json"));
  lock.version = next;
  lock.packages[""].version = next;
  return `${JSON.stringify(lock, undefined, 2)}\n`;
}

/** The order of two semantic versions; prereleases are compared as text. */
export function compareVersions(a: string, b: string): number {
  const [, ...left] = semver.exec(a) ?? [];
  const [, ...right] = semver.exec(b) ?? [];
  for (const index of [0, 1, 2]) {
    const difference = Number(left[index]) - Number(right[index]);
    if (difference !== 0) return difference;
  }
  if (left[3] === right[3]) return 0;
  if (left[3] === undefined) return 1;
  return right[3] === undefined || left[3] < right[3] ? -1 : 1;
}
