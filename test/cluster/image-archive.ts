import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Report } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { type Completed, completed, succeeded } from "../control-plane/completed.ts";
import { contentHash, type Image } from "./image.ts";
import { places } from "./places.ts";

/** An image in a file, in the format of `docker save`. */
export interface Archive {
  readonly reference: string;
  readonly hash: string;
  readonly path: string;
}

/** The archive of an image, built if there is none of its present content (a minute for the large ones). One build at a time. */
export async function archiveOf(image: Image, report: Report): Promise<Archive> {
  const archive = { reference: image.reference, hash: await contentHash(image), path: await archivePath(image) };
  await mkdir(places.images, { recursive: true });
  if (existsSync(archive.path)) return archive;
  const waiting = (owner: number) => report(`images: process ${owner} is building one; waiting for that.`);
  await withLock(join(places.images, ".lock"), waiting, async () => {
    if (!existsSync(archive.path)) await build(image, archive, report);
  });
  return archive;
}

/** Where the archive of an image's present content is, or would be. */
export async function archivePath(image: Image): Promise<string> {
  return join(places.images, `${stemOf(image)}-${await contentHash(image)}.tar`);
}

function stemOf({ reference }: Image): string {
  return reference.replace(/^.*\//, "").replace(":", "-");
}

/** Folders in which images are built; one that is there when a build begins was left by a process that was killed. */
const contextPrefix = ".context-";

async function build(image: Image, archive: Archive, report: Report): Promise<void> {
  const began = Date.now();
  for (const name of await readdir(places.images))
    if (name.startsWith(contextPrefix)) await rm(join(places.images, name), { recursive: true });
  if (image.onDebian && (await buildah(["inspect", "--type", "image", debian])).code !== 0) await buildDebian(report);
  report(`images: building ${image.reference}`);
  const context = await mkdtemp(join(places.images, contextPrefix));
  try {
    for (const name of await readdir(image.directory)) await copyFile(join(image.directory, name), join(context, name));
    for (const [name, path] of Object.entries(image.files ?? {})) await copyFile(path, join(context, name));
    await buildFrom(context, image.reference, {
      ...image.buildArgs,
      ...(image.onDebian && { BASE: debian }),
    });
    const half = join(context, "image.tar");
    await builtWith(["push", "--quiet", image.reference, `docker-archive:${half}:${image.reference}`]);
    await builtWith(["rmi", image.reference]);
    for (const name of await readdir(places.images))
      if (name.startsWith(`${stemOf(image)}-`)) await rm(join(places.images, name));
    await rename(half, archive.path);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  report(`images: ${image.reference} built in ${Math.round((Date.now() - began) / 1000)} s`);
}

/** The name of the stand-in for debian:trixie-slim. */
const debian = "localhost/debian:trixie-slim";

/** A minimal Debian trixie from the archives that this machine's apt uses. */
async function buildDebian(report: Report): Promise<void> {
  report("images: making a Debian trixie from packages to build on");
  const context = await mkdtemp(join(places.images, contextPrefix));
  try {
    await copyFile(join(import.meta.dirname, "images", "base", "Dockerfile"), join(context, "Dockerfile"));
    await writeFile(join(context, "trixie.list"), await trixieSources());
    const unused = ["man", "doc", "locale"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
    const output = [join(context, "root.tar"), join(context, "trixie.list")];
    await succeeded("mmdebstrap", ["--quiet", "--variant=minbase", ...unused, "trixie", ...output], { env: quiet });
    await buildFrom(context, debian, {});
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** apt's sources for trixie, with the hosts from which this machine gets its own release. */
async function trixieSources(): Promise<string> {
  const format = "$(REPO_URI) $(RELEASE)";
  const targets = await succeeded("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const lines = [...new Set(targets.trim().split("\n"))].flatMap((line) => {
    const [uri = "", release = ""] = line.split(" ");
    if (release.endsWith("-security")) return [`deb ${uri} trixie-security main`];
    return release.includes("-") ? [] : [`deb ${uri} trixie main`];
  });
  if (lines.length === 0) throw new Error('apt knows no package archives: run "apt-get update".');
  return `${lines.join("\n")}\n`;
}

/** Certificate authorities of this machine, under a name that no package of the image claims. */
const authorities = { here: "/etc/ssl/certs/ca-certificates.crt", there: "/mnt/ca-certificates.crt" };

async function buildFrom(context: string, tag: string, args: Readonly<Record<string, string>>): Promise<void> {
  const buildArgs = Object.entries({ ...args, PIP_CERT: authorities.there }).map(([k, v]) => `--build-arg=${k}=${v}`);
  const volume = `--volume=${authorities.here}:${authorities.there}:ro`;
  // Debian's crun does not work with cgroups v1 and v2 side by side; a chroot is enough for what runs here.
  const options = ["--isolation=chroot", "--network=host", "--layers=false", "--pull=never", volume, ...buildArgs];
  await builtWith(["build", ...options, `--tag=${tag}`, context]);
}

async function builtWith(args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await buildah(args);
  if (code === 0) return;
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-30).join("\n");
  throw new Error(`"buildah ${args.join(" ")}" ended with code ${code}:\n${said}`);
}

/** Without proxies, pip settings and the like of whoever calls. */
const quiet = { PATH: process.env["PATH"], HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };

/** With a store of its own: what a container engine of this machine holds is not touched. What it mounts goes with it. */
function buildah(args: readonly string[]): Promise<Completed> {
  const store = join(places.root, "buildah");
  const options = ["--root", store, "--runroot", join(store, "run"), "--storage-driver", "overlay"];
  return completed("unshare", ["--mount", "buildah", ...options, ...args], { env: quiet });
}
