import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { Report } from "../control-plane/binaries.ts";
import { succeeded } from "../control-plane/completed.ts";
import { clusterPaths } from "./cluster-paths.ts";

/** Debian's packages by name, and a program or file of each that shows that it is installed. */
export type Packages = Readonly<Record<string, string>>;

/** The packages that the cluster needs. */
const clusterPackages: Packages = {
  buildah: "buildah",
  "busybox-static": "busybox",
  "containernetworking-plugins": "/usr/lib/cni/ptp",
  iproute2: "ip",
  ipset: "ipset",
  iptables: "iptables",
  mmdebstrap: "mmdebstrap",
  mount: "mount",
  nftables: "nft",
  // Redis' server has several names; this one does not start a service.
  "redis-tools": "redis-check-rdb",
  runc: "runc",
  "util-linux": "nsenter",
};

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Installs missing packages, by default those of the cluster. Rejects with a message for the user if that is not possible. */
export async function installPackages(report: Report, packages: Packages = clusterPackages): Promise<void> {
  const missing = Object.entries(packages)
    .filter(([, file]) => !folders.some((folder) => existsSync(file.startsWith("/") ? file : join(folder, file))))
    .map(([name]) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error(`The tests need ${missing.join(", ")}. Install them, or run this as root on Debian.`);
  report(`installing Debian's packages ${missing.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await succeeded("apt-get", ["update", "-qq"], { env });
  await succeeded("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
}

/** Control plane and node need 1.5 GiB, a pod of MLflow 0.5 GiB. */
const memoryGibibytes = 6;

/** Volumes and layers of pods while the tests run. The programs and images, built once, need another 15 GiB. */
const diskGibibytes = 5;

/** Returns why no cluster can be started here, or undefined. Does not check whether its programs can be built. */
export function missingPackages(): string | undefined {
  if (process.platform !== "linux") return "the one-node cluster runs on Linux only";
  if (process.getuid?.() !== 0) return "the one-node cluster requires root";
  const memory = totalmem() / 2 ** 30;
  if (memory < memoryGibibytes)
    return `the one-node cluster requires ${memoryGibibytes} GiB of memory, and this machine has ${memory.toFixed(1)}`;
  mkdirSync(clusterPaths.root, { recursive: true });
  const { bavail, bsize } = statfsSync(clusterPaths.root);
  const disk = (bavail * bsize) / 2 ** 30;
  if (disk < diskGibibytes)
    return `the one-node cluster requires ${diskGibibytes} GiB of free disk space in ${clusterPaths.root}, and ${disk.toFixed(1)} are free`;
  // Root in a container may not have this permission.
  const { status, stderr } = spawnSync("unshare", ["--mount", "--net", "--pid", "--fork", "true"], {
    encoding: "utf8",
  });
  if (status !== 0)
    return `namespaces for the one-node cluster cannot be created: ${stderr?.trim() || "unshare is not installed"}`;
  return undefined;
}
