import { join } from "node:path";
import { type Completed, completed } from "../control-plane/completed.ts";
import { clusterPaths } from "./cluster-paths.ts";

/** The environment of image builds, without the caller's proxies, pip settings and similar. */
export const buildEnvironment = { PATH: process.env["PATH"], HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };

/** CA bundle of this machine, mounted at a path that no package of the image uses. */
const caBundle = { host: "/etc/ssl/certs/ca-certificates.crt", container: "/mnt/ca-certificates.crt" };

/** Builds the Dockerfile of a folder. It can fetch packages; their registries are verified with this machine's CA bundle. */
export async function buildFrom(context: string, tag: string, args: Readonly<Record<string, string>>): Promise<void> {
  const caArgs = { PIP_CERT: caBundle.container, NODE_EXTRA_CA_CERTS: caBundle.container };
  const buildArgs = Object.entries({ ...args, ...caArgs }).map(([k, v]) => `--build-arg=${k}=${v}`);
  const volume = `--volume=${caBundle.host}:${caBundle.container}:ro`;
  // Debian's crun does not work with cgroups v1 and v2 side by side; a chroot is sufficient here.
  const options = ["--isolation=chroot", "--network=host", "--layers=false", "--pull=never", volume, ...buildArgs];
  await runBuildah(["build", ...options, `--tag=${tag}`, context]);
}

/** Whether a base image with this name exists. */
export async function isBuilt(reference: string): Promise<boolean> {
  return (await buildah(["inspect", "--type", "image", reference])).code === 0;
}

/** Runs buildah. Rejects with the last lines of its output if it fails. */
export async function runBuildah(args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await buildah(args);
  if (code === 0) return;
  const output = `${stdout}\n${stderr}`.trim().split("\n").slice(-30).join("\n");
  throw new Error(`"buildah ${args.join(" ")}" ended with code ${code}:\n${output}`);
}

/** Runs buildah with its own storage, separate from container engines of this machine, and in its own mount namespace. */
function buildah(args: readonly string[]): Promise<Completed> {
  const store = join(clusterPaths.root, "buildah");
  const options = ["--root", store, "--runroot", join(store, "run"), "--storage-driver", "overlay"];
  return completed("unshare", ["--mount", "buildah", ...options, ...args], { env: buildEnvironment });
}
