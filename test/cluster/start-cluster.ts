import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { bringUp, release } from "./bring-up.ts";
import type { Image } from "./image.ts";
import { type ImageName, imageNamed } from "./image-catalogue.ts";
import { provideImages } from "./images.ts";
import { findMachine } from "./machine.ts";
import { network } from "./network.ts";
import { accessTo, adminKubeconfig } from "./node-state.ts";
import { clusterPrograms } from "./programs.ts";

export interface Cluster extends ClusterAccess {
  /** Whether it was up before. */
  readonly existing: boolean;
  readonly kubectlProgram: string;
  /** This machine's address as pods see it (also `host.cluster.internal`): what they shall reach here listens on it. */
  readonly hostAddress: string;
  /** Builds images (once; minutes for the large ones) and imports them; gives their references, in the same order. */
  readonly images: (names: readonly ImageName[]) => Promise<readonly string[]>;
  /** The same for an image that has no name in the catalogue; gives its reference. */
  readonly image: (image: Image) => Promise<string>;
  /** Takes the cluster down, unless other processes still use it or a person has brought it up. */
  readonly close: () => Promise<void>;
}

/**
 * A Kubernetes of one real node, which runs pods: the one that is up, or one brought up now, empty. It goes down with the
 * last process that uses it, however that ends, unless a person has brought it up. Ready when the node is, and when names of Services are resolved; this process
 * reaches Services and pods by their addresses. Takes root on Debian; the first time it builds everything, which takes
 * about ten minutes on two idle cores.
 */
export async function startCluster(options: { readonly report?: Report } = {}): Promise<Cluster> {
  const { report = reportOnStderr } = options;
  const watchman = watch();
  const existing = await bringUp("process", report);
  const programs = await clusterPrograms(report);
  const machine = await findMachine();
  if (!machine) throw new Error("The cluster was taken down while it came up: see who else uses it.");
  return {
    ...(await accessTo(programs)),
    kubeconfigPath: adminKubeconfig,
    existing,
    kubectlProgram: programs("kubectl"),
    hostAddress: network.hostAddress,
    images: (names) => provideImages(machine, programs, names.map(imageNamed), report),
    image: async (image) => {
      await provideImages(machine, programs, [image], report);
      return image.reference;
    },
    close: async () => {
      await release(report);
      watchman.dismiss();
    },
  };
}

interface Watchman {
  readonly dismiss: () => void;
}

/** Speaks for this process when it ends without a word: the kernel closes the pipe, SIGKILL or not. */
function watch(): Watchman {
  const script = "trap '' INT TERM HUP; read -r word && exit; exec \"$@\"";
  const command = [process.execPath, join(import.meta.dirname, "cluster.ts"), "release"];
  const shell = spawn("/bin/sh", ["-c", script, "sh", ...command], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  shell.unref();
  const { stdin } = shell;
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  return { dismiss: () => void stdin.end("done\n") };
}
