import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { succeeded } from "../../test/control-plane/completed.ts";
import { nodeFile, nodeLicense, nodePackages, type Platform } from "./node-binaries.ts";
import { type Release, root } from "./release.ts";
import { writeArchive } from "./tar.ts";

/** The file name of the archive with `kubectl-mlflow` for a platform. */
export function archiveName({ version }: Release, platform: Platform): string {
  return `kubectl-mlflow_v${version}_${platform.replace("-", "_")}.tar.gz`;
}

export const executableName = (platform: Platform) =>
  platform.startsWith("windows") ? "kubectl-mlflow.exe" : "kubectl-mlflow";

/** The files of an archive, without the executable. */
export const licenses = ["LICENSE", "LICENSE-node", "THIRD-PARTY-LICENSES"] as const;

/**
 * Writes an archive for each platform: Node with the command line as a single executable application, and the licenses. Those for macOS
 * need macOS, since its programs must be signed. Returns the paths.
 */
export async function writePlugins(release: Release, platforms: readonly Platform[]): Promise<readonly string[]> {
  const isUnsigned = platforms.some((platform) => platform.startsWith("darwin")) && process.platform !== "darwin";
  if (isUnsigned)
    throw new Error(
      "The plugin for macOS is built on macOS, which has codesign: run this step there, or leave out darwin in --platform.",
    );
  const folder = await mkdtemp(join(tmpdir(), "plugin-"));
  try {
    await succeeded(process.execPath, [join(root, "scripts/build.ts"), "--single-file", folder], {
      cwd: root,
      env: process.env,
    });
    const paths: string[] = [];
    for (const platform of platforms) paths.push(await writePlugin(release, platform, folder));
    return paths;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writePlugin(release: Release, platform: Platform, bundle: string): Promise<string> {
  const folder = join(bundle, platform);
  await mkdir(folder);
  const executable = join(folder, executableName(platform));
  await writeExecutable(join(bundle, "mlflow-operator.js"), platform, executable);
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
  await copyFile(await nodeLicense(), join(folder, "LICENSE-node"));
  await copyFile(join(bundle, "THIRD-PARTY-LICENSES"), join(folder, "THIRD-PARTY-LICENSES"));
  await mkdir(release.output, { recursive: true });
  const path = join(release.output, archiveName(release, platform));
  await writeArchive(folder, [executableName(platform), ...licenses], path);
  await rm(folder, { recursive: true });
  return path;
}

/** Writes Node with the bundle in it. Node of this machine writes executables for all platforms, without snapshot and code cache. */
export async function writeExecutable(bundle: string, platform: Platform, output: string): Promise<void> {
  const settings = join(`${output}.json`);
  await writeFile(
    settings,
    JSON.stringify({
      main: bundle,
      mainFormat: "module",
      executable: await nodeFile(platform, nodePackages[platform].executable),
      output,
      disableExperimentalSEAWarning: true,
      // Options of Node in the user's environment, such as --require, are not for this program.
      execArgvExtension: "none",
    }),
  );
  await succeeded(process.execPath, ["--build-sea", settings]);
  await rm(settings);
  if (platform.startsWith("darwin")) await succeeded("codesign", ["--sign", "-", "--force", output]);
}
