import { copyFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import type { Report } from "../control-plane/binaries.ts";
import { succeeded } from "../control-plane/completed.ts";
import { buildEnvironment, buildFrom, isBuilt } from "./buildah.ts";
import { clusterPaths } from "./cluster-paths.ts";
import type { Image } from "./image.ts";

/** The prefix of build folders; one that exists when a build begins belongs to a process that was killed. */
export const contextPrefix = ".context-";

/** The name of the replacement for debian:trixie-slim. */
const debian = "localhost/debian:trixie-slim";

/** The replacement for Node's image contains the project's Node version and this npm. */
const [nodeVersion, npmVersion] = [manifest.devDependencies.node, "12.2.0"];
const node = `localhost/node:${nodeVersion}-npm-${npmVersion}-trixie`;

/** Returns the build arguments for an image's base, and builds the base if it is missing. */
export async function baseArguments(image: Image, report: Report): Promise<Readonly<Record<string, string>>> {
  if (image.onDebian || image.onNode) await provided(debian, debianContext, report);
  if (image.onNode) await provided(node, nodeContext, report);
  return { ...(image.onDebian && { BASE: debian }), ...(image.onNode && { NODE_IMAGE: node }) };
}

/** Writes the files of a base image next to its Dockerfile, and returns the build arguments. */
type Context = (directory: string) => Promise<Readonly<Record<string, string>>>;

async function provided(reference: string, fill: Context, report: Report): Promise<void> {
  if (await isBuilt(reference)) return;
  report(`images: building ${reference} from packages`);
  const context = await mkdtemp(join(clusterPaths.images, contextPrefix));
  try {
    const args = await fill(context);
    await buildFrom(context, reference, args);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** Writes a minimal Debian trixie from the archives that this machine's apt uses. */
async function debianContext(context: string) {
  await copyDockerfile("base", context);
  await writeFile(join(context, "trixie.list"), await trixieSources());
  const unused = ["man", "doc", "locale"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  const output = [join(context, "root.tar"), join(context, "trixie.list")];
  await succeeded("mmdebstrap", ["--quiet", "--variant=minbase", ...unused, "trixie", ...output], {
    env: buildEnvironment,
  });
  return {};
}

/** Writes Node and npm from npm's registry, with the user's npm settings. */
async function nodeContext(context: string) {
  await copyDockerfile("node", context);
  const packages = { [`node-linux-${process.arch}`]: nodeVersion, npm: npmVersion };
  const names = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  await succeeded("npm", ["pack", "--silent", "--pack-destination", context, ...names], { cwd: context });
  for (const [name, version] of Object.entries(packages))
    await rename(join(context, `${name}-${version}.tgz`), join(context, name === "npm" ? "npm.tgz" : "node.tgz"));
  return { BASE: debian };
}

async function copyDockerfile(name: string, context: string): Promise<void> {
  await copyFile(join(import.meta.dirname, "images", name, "Dockerfile"), join(context, "Dockerfile"));
}

/** Returns apt's sources for trixie, with the hosts that this machine uses for its own release. */
async function trixieSources(): Promise<string> {
  const format = "$(REPO_URI) $(RELEASE)";
  const targets = await succeeded("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const lines = [...new Set(targets.trim().split("\n"))].flatMap((line) => {
    const [uri = "", release = ""] = line.split(" ");
    if (release.endsWith("-security")) return [`deb ${uri} trixie-security main`];
    return release.includes("-") ? [] : [`deb ${uri} trixie main`];
  });
  if (lines.length === 0) throw new Error('apt has no package archives. Run "apt-get update".');
  return `${lines.join("\n")}\n`;
}
