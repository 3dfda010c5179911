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
  /** Whether it was running before. */
  readonly existing: boolean;
  readonly kubectlProgram: string;
  /** This machine's address for pods (also `host.cluster.internal`): servers on this machine listen on it. */
  readonly hostAddress: string;
  /** Builds images (once; minutes for large ones) and imports them; returns their references, in the same order. */
  readonly images: (names: readonly ImageName[]) => Promise<readonly string[]>;
  /** The same for an image that is not in the catalogue; returns its reference. */
  readonly image: (image: Image) => Promise<string>;
  /** Stops the cluster, unless other processes use it or it was started with `npm run cluster -- up`. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a Kubernetes cluster with one real node, or uses the running one. It stops with the last process that uses it, unless it
 * was started with `npm run cluster -- up`. Resolves when the node is ready and names of Services resolve; this process
 * can reach Services and pods by their addresses. Requires root on Debian; builds everything the first time, which takes
 * about ten minutes on two idle cores.
 */
export async function startCluster(options: { readonly report?: Report } = {}): Promise<Cluster> {
  const { report = reportOnStderr } = options;
  const exitWatcher = watch();
  const existing = await bringUp("process", report);
  const programs = await clusterPrograms(report);
  const machine = await findMachine();
  if (!machine) throw new Error("The cluster was stopped while it started. Check which other process uses it.");
  return {
    ...(await accessTo(programs)),
    kubeconfigPath: adminKubeconfig,
    existing,
    kubectlProgram: programs("kubectl"),
    hostAddress: network().hostAddress,
    images: (names) => provideImages(machine, programs, names.map(imageNamed), report),
    image: async (image) => {
      await provideImages(machine, programs, [image], report);
      return image.reference;
    },
    close: async () => {
      await release(report);
      exitWatcher.dismiss();
    },
  };
}

interface ExitWatcher {
  readonly dismiss: () => void;
}

/** Releases the cluster if this process is killed: the kernel closes the pipe. */
function watch(): ExitWatcher {
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
