import { existsSync } from "node:fs";
import { archiveOf } from "../test/cluster/image-archive.ts";
import { type ImageName, imageNamed } from "../test/cluster/image-catalogue.ts";
import { installPackages, missingPackages } from "../test/cluster/packages.ts";
import { startCluster } from "../test/cluster/start-cluster.ts";
import type { Report } from "../test/control-plane/binaries.ts";
import { dockerCanPull, k3sImage } from "../test/control-plane/docker.ts";
import { kubernetesApi } from "../test/control-plane/kubernetes.ts";

/** The Kubernetes that the demo takes. */
export interface Ground {
  /** For people, as in "a control plane of its own, without nodes". */
  readonly description: string;
  readonly kubeconfigPath: string;
  /** A path, or a name to be found on the PATH. */
  readonly kubectlProgram: string;
  /** Whether it goes on when the demo has ended, so that what the demo made in it must be removed. */
  readonly stays: boolean;
  readonly close: () => Promise<void>;
}

/**
 * The cluster that is named; else K3s where a Docker engine can pull it; else a node of this machine; else, where none
 * can be, a control plane without nodes. An ambient kubeconfig may be of production and is never taken.
 */
export async function ground(kubeconfig: string | undefined, image: ImageName, report: Report): Promise<Ground> {
  if (kubeconfig !== undefined) return { ...(await kubernetesApi({ kubeconfig, report })), stays: true };
  if (await dockerCanPull(k3sImage)) return { ...(await kubernetesApi({ report })), stays: false };
  const reason = missingPackages() ?? (existsSync("/usr/bin/apt-get") ? undefined : "it takes Debian");
  if (reason === undefined) {
    try {
      return await node(image, report);
    } catch (error) {
      report(`no node came up on this machine: ${error instanceof Error ? error.message : String(error)}`);
    }
  } else report(`no pods can run on this machine: ${reason} (docs/test-cluster.md)`);
  report("going on with a control plane alone, which shows objects and no MLflow");
  return { ...(await kubernetesApi({ report })), stays: false };
}

async function node(image: ImageName, report: Report): Promise<Ground> {
  await installPackages(report);
  // Beside the programs of the cluster. A build that fails is tried again below.
  void archiveOf(imageNamed(image), report).catch(() => {});
  const cluster = await startCluster({ report });
  try {
    await cluster.images([image]);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  const { kubeconfigPath, kubectlProgram, existing, close } = cluster;
  const description = `a Kubernetes of one node on this machine${existing ? ", which was up" : ""}`;
  return { description, kubeconfigPath, kubectlProgram, stays: existing, close };
}
