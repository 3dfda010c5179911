import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterPaths } from "./cluster-paths.ts";
import { controlGroup } from "./control-groups.ts";
import { logPathOf, type Machine } from "./machine.ts";
import { network } from "./network.ts";
import type { Programs } from "./programs.ts";

/** The sandbox image of pods. */
export const pauseImage = "localhost/pause:1";

/** The configuration of containerd 2.3; sockets and pod state are in its default folders below the node's /run. */
const config = `version = 4
root = "${clusterPaths.containerd}"
oom_score = 0
imports = []
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.internal.v1.opt"]
  path = "${clusterPaths.state}/containerd-opt"
[plugins."io.containerd.metadata.v1.bolt"]
  no_sync = true
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${pauseImage}"
[plugins."io.containerd.cri.v1.runtime"]
  enable_selinux = false
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE a score below one's own cannot be set.
  restrict_oom_score_adj = true
  ignore_image_defined_volumes = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "runc"
        SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni", "${clusterPaths.state}/cni-bin"]
    conf_dir = "${clusterPaths.state}/cni"
`;

/** Each pod has its own veth pair (ptp) and is reached by routes, without address translation. */
const cni = () => ({
  cniVersion: "1.0.0",
  name: controlGroup,
  plugins: [
    {
      type: "ptp",
      ipMasq: false,
      ipam: {
        type: "host-local",
        dataDir: join(clusterPaths.state, "cni-addresses"),
        ranges: [[{ subnet: network().pods }]],
        routes: [{ dst: network().all }],
      },
    },
  ],
});

/** Writes containerd's configuration and starts it; resolves when it answers. */
export async function startContainerd(machine: Machine, programs: Programs): Promise<void> {
  const path = join(clusterPaths.state, "containerd.toml");
  await writeFile(path, config);
  await writeFile(join(clusterPaths.state, "cni", "10-pods.conflist"), JSON.stringify(cni()));
  // containerd finds its shim on the PATH.
  const bin = `${dirname(programs("containerd"))}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const args = [`PATH=${bin}`, programs("containerd"), "--config", path];
  await machine.start("env", args, logPathOf("containerd"));
  await ctr(machine, programs, ["version"]);
}

/** Stops containerd gracefully, so that its indexes are consistent. */
export async function stopContainerd(machine: Machine, programs: Programs): Promise<void> {
  const pids = await machine.pidsOf(programs("containerd"));
  for (const pid of pids) process.kill(pid, "SIGTERM");
  while ((await machine.pidsOf(programs("containerd"))).length > 0) await sleep(20);
}

/** Imports the archive of an image into containerd, with the references in the archive and its id. */
export async function importArchive(
  machine: Machine,
  programs: Programs,
  { path, reference }: { readonly path: string; readonly reference: string },
): Promise<void> {
  await ctr(machine, programs, ["images", "import", "--local", "--snapshotter", "overlayfs", path]);
  const [, , digest = ""] = (await imagesIn(machine, programs)).find(([name]) => name === reference) ?? [];
  const manifest: { readonly config: { readonly digest: string } } = JSON.parse(
    await ctr(machine, programs, ["content", "get", digest]),
  );
  await ctr(machine, programs, ["images", "tag", "--force", reference, manifest.config.digest]);
}

/**
 * Returns the references of images whose id is a name as well. The kubelet mounts image volumes by it. containerd's CRI plugin adds that name for
 * a new reference, and not for one that is imported again.
 */
export async function imagesWithID(machine: Machine, programs: Programs): Promise<ReadonlySet<string>> {
  const images = await imagesIn(machine, programs);
  const digests = new Set(images.filter(([name]) => name.startsWith("sha256:")).map(([, , digest]) => digest));
  return new Set(images.filter(([, , digest]) => digests.has(digest)).map(([name]) => name));
}

/** Returns name, type and digest of all images. */
async function imagesIn(machine: Machine, programs: Programs): Promise<[string, string, string][]> {
  const lines = (await ctr(machine, programs, ["images", "list"])).trim().split("\n").slice(1);
  return lines.map((line) => {
    const [name = "", type = "", digest = ""] = line.split(/\s+/);
    return [name, type, digest];
  });
}

/** Runs containerd's client in the namespace that kubelet uses. Waits for containerd to start. */
async function ctr(machine: Machine, programs: Programs, args: readonly string[]): Promise<string> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { code, stdout, stderr } = await machine.run(programs("ctr"), ["--namespace", "k8s.io", ...args]);
    if (code === 0) return stdout;
    const connecting = /no such file or directory|connection refused|context deadline exceeded/.test(stderr);
    if (!connecting || Date.now() > deadline)
      throw new Error(`"ctr ${args.join(" ")}" ended with code ${code}: ${stderr.trim()}`);
    await sleep(100);
  }
}
