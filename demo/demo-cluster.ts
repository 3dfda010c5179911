import { existsSync } from "node:fs";
import { archiveOf } from "../test/cluster/image-archive.ts";
import { type ImageName, imageNamed } from "../test/cluster/image-catalogue.ts";
import { installPackages, missingPackages } from "../test/cluster/packages.ts";
import { startCluster } from "../test/cluster/start-cluster.ts";
import type { Report } from "../test/control-plane/binaries.ts";
import { dockerCanPull, k3sImage } from "../test/control-plane/docker.ts";
import { kubernetesApi } from "../test/control-plane/kubernetes.ts";

/** The Kubernetes cluster of the demo. */
export interface DemoCluster {
  /** Description for users, such as "a control plane without nodes". */
  readonly description: string;
  readonly kubeconfigPath: string;
  /** A path, or a name on the PATH. */
  readonly kubectlProgram: string;
  /** Whether it continues to run after the demo, so that the demo must remove its objects. */
  readonly stays: boolean;
  readonly close: () => Promise<void>;
}

/**
 * Returns the cluster of the kubeconfig; otherwise K3s if a Docker engine can pull it; otherwise a cluster of one node on this machine;
 * otherwise a control plane without nodes. The current kubeconfig is never used, since it can be for production.
 */
export async function demoCluster(
  kubeconfig: string | undefined,
  image: ImageName,
  report: Report,
): Promise<DemoCluster> {
  if (kubeconfig !== undefined) return { ...(await kubernetesApi({ kubeconfig, report })), stays: true };
  if (await dockerCanPull(k3sImage)) return { ...(await kubernetesApi({ report })), stays: false };
  const reason = missingPackages() ?? (existsSync("/usr/bin/apt-get") ? undefined : "it requires Debian");
  if (reason === undefined) {
    try {
      return await node(image, report);
    } catch (error) {
      report(`a node cannot be started on this machine: ${error instanceof Error ? error.message : String(error)}`);
    }
  } else report(`pods cannot run on this machine: ${reason} (docs/test-cluster.md)`);
  report("continuing with a control plane without nodes, which shows objects but not MLflow");
  return { ...(await kubernetesApi({ report })), stays: false };
}

async function node(image: ImageName, report: Report): Promise<DemoCluster> {
  await installPackages(report);
  // Built concurrently with the programs of the cluster. A failed build is repeated below.
  void archiveOf(imageNamed(image), report).catch(() => {});
  const cluster = await startCluster({ report });
  try {
    await cluster.images([image]);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  const { kubeconfigPath, kubectlProgram, existing, close } = cluster;
  const description = `a cluster of one node on this machine${existing ? ", which already ran" : ""}`;
  return { description, kubeconfigPath, kubectlProgram, stays: existing, close };
}
