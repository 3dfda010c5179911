import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../../src/settings.ts";

export const root = join(import.meta.dirname, "../..");

/** The owner of the images and charts in the files of this repository, which a release replaces with its own. */
export const defaultRegistry = "ghcr.io/mlflow-operator";
export const defaultRepository = "mlflow-operator/mlflow-operator";

/** Where a release is published. All of it follows from the repository, so a fork changes no file. */
export interface Release {
  readonly version: string;
  /** Host and path of the images, without a slash at the end: `ghcr.io/<owner>`. The charts are below `charts/`. */
  readonly registry: string;
  /** Owner and name of the GitHub repository. */
  readonly repository: string;
  /** The folder of the files of the release. */
  readonly output: string;
  /** Digests of pushed artifacts by reference without registry: `mlflow-operator:<version>`, `charts/mlflow-operator:<version>`. */
  readonly digests: Readonly<Record<string, string>>;
}

export interface ReleaseOptions {
  readonly registry?: string | undefined;
  readonly repository?: string | undefined;
  readonly output?: string | undefined;
}

/** Returns the release of the version in package.json, by default in the registry of the owner of the GitHub repository. */
export function releaseOf(options: ReleaseOptions, digests: Release["digests"] = {}): Release {
  const repository = options.repository ?? process.env["GITHUB_REPOSITORY"] ?? originOf() ?? defaultRepository;
  const owner = /^([\w.-]+)\/[\w.-]+$/.exec(repository)?.[1];
  if (owner === undefined)
    throw new Error(`--repository ${repository} is not the name of a GitHub repository: use <owner>/<name>.`);
  const registry = options.registry ?? `ghcr.io/${owner.toLowerCase()}`;
  if (!/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/.test(registry))
    throw new Error(`--registry ${registry} is not a host with a path: use a value such as ghcr.io/<owner>.`);
  return { version, registry, repository, output: options.output ?? join(root, "artifacts/release"), digests };
}

/** The digests of pushed artifacts, which the steps that push store. */
export async function storedDigests(output: string): Promise<Release["digests"]> {
  const text = await readFile(join(output, "digests.json"), "utf8").catch(() => "{}");
  return JSON.parse(text);
}

/** Owner and name of the remote `origin` if it is on GitHub. */
function originOf(): string | undefined {
  try {
    const url = execFileSync("git", ["remote", "get-url", "origin"], { cwd: root, encoding: "utf8", stdio: "pipe" });
    return /github\.com[:/]([\w.-]+\/[\w.-]+?)(?:\.git)?\s*$/.exec(url)?.[1];
  } catch {
    return undefined;
  }
}

/** An image of the release by digest if it has been pushed, otherwise by tag. */
export function imageReference({ registry, digests }: Release, name: string, tag: string): string {
  const digest = digests[`${name}:${tag}`];
  return digest === undefined ? `${registry}/${name}:${tag}` : `${registry}/${name}@${digest}`;
}

/** Replaces the owner's names in a text of this repository. */
export function withNamesOf({ registry, repository, version: tag }: Release, text: string): string {
  return text
    .replaceAll(
      `raw.githubusercontent.com/${defaultRepository}/main/`,
      `raw.githubusercontent.com/${repository}/v${tag}/`,
    )
    .replaceAll(`github.com/${defaultRepository}`, `github.com/${repository}`)
    .replaceAll(`${defaultRegistry}/`, `${registry}/`);
}
