import { join } from "node:path";
import { type Completed, completed } from "../control-plane/completed.ts";
import { places } from "./places.ts";

/** The environment of what builds images: without proxies, pip settings and the like of whoever calls. */
export const quiet = { PATH: process.env["PATH"], HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };

/** Certificate authorities of this machine, under a name that no package of the image claims. */
const authorities = { here: "/etc/ssl/certs/ca-certificates.crt", there: "/mnt/ca-certificates.crt" };

/** Builds the Dockerfile of a folder. It may fetch packages, whose registries are believed by this machine's authorities. */
export async function buildFrom(context: string, tag: string, args: Readonly<Record<string, string>>): Promise<void> {
  const ofRegistries = { PIP_CERT: authorities.there, NODE_EXTRA_CA_CERTS: authorities.there };
  const buildArgs = Object.entries({ ...args, ...ofRegistries }).map(([k, v]) => `--build-arg=${k}=${v}`);
  const volume = `--volume=${authorities.here}:${authorities.there}:ro`;
  // Debian's crun does not work with cgroups v1 and v2 side by side; a chroot is enough for what runs here.
  const options = ["--isolation=chroot", "--network=host", "--layers=false", "--pull=never", volume, ...buildArgs];
  await builtWith(["build", ...options, `--tag=${tag}`, context]);
}

/** Whether there is an image of this name to build on. */
export async function isBuilt(reference: string): Promise<boolean> {
  return (await buildah(["inspect", "--type", "image", reference])).code === 0;
}

/** Rejects with the last lines of what buildah says where it fails. */
export async function builtWith(args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await buildah(args);
  if (code === 0) return;
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-30).join("\n");
  throw new Error(`"buildah ${args.join(" ")}" ended with code ${code}:\n${said}`);
}

/** With a store of its own: what a container engine of this machine holds is not touched. What it mounts goes with it. */
function buildah(args: readonly string[]): Promise<Completed> {
  const store = join(places.root, "buildah");
  const options = ["--root", store, "--runroot", join(store, "run"), "--storage-driver", "overlay"];
  return completed("unshare", ["--mount", "buildah", ...options, ...args], { env: quiet });
}
