import { access } from "node:fs/promises";
import { type Report, reportOnStderr } from "./binaries.ts";
import { startControlPlane } from "./control-plane.ts";
import { dockerCanPull, k3sImage } from "./docker.ts";

export interface Kubernetes {
  /** `kubeconfig`: somebody's cluster, left running; the other two go away with `close`. */
  readonly source: "kubeconfig" | "k3s" | "control-plane";
  /** For people, as in "a control plane without nodes, built from Go modules". */
  readonly description: string;
  readonly kubeconfigPath: string;
  /** A path, or a name to be found on the PATH. */
  readonly kubectlProgram: string;
  readonly close: () => Promise<void>;
}

export interface KubernetesOptions {
  /** Path of a kubeconfig that its owner has named for this. An ambient `KUBECONFIG` or `~/.kube/config` may be production and is never read. */
  readonly kubeconfig?: string;
  readonly report?: Report;
}

/** A Kubernetes API: the one named, else K3s where a Docker engine can pull its image, else a control plane with no nodes, built once from Go modules. */
export async function kubernetesApi(options: KubernetesOptions = {}): Promise<Kubernetes> {
  const { kubeconfig, report = reportOnStderr } = options;
  if (kubeconfig !== undefined) {
    await access(kubeconfig).catch((error: unknown) => {
      throw new Error(`The kubeconfig "${kubeconfig}" cannot be read: name another.`, { cause: error });
    });
    const description = `the cluster of the kubeconfig ${kubeconfig}`;
    return {
      source: "kubeconfig",
      description,
      kubeconfigPath: kubeconfig,
      kubectlProgram: "kubectl",
      close: async () => {},
    };
  }
  if (await dockerCanPull(k3sImage)) {
    // Loaded only where it is used: it brings a container client along.
    const { startK3s } = await import("./k3s.ts");
    const { kubeconfigPath, close } = await startK3s(report);
    return {
      source: "k3s",
      description: `K3s in Docker (${k3sImage})`,
      kubeconfigPath,
      kubectlProgram: "kubectl",
      close,
    };
  }
  const controlPlane = await startControlPlane({ report });
  return {
    source: "control-plane",
    description: "a control plane of its own, without nodes",
    kubeconfigPath: controlPlane.kubeconfigPath,
    kubectlProgram: controlPlane.address.kubectlProgram,
    close: controlPlane.close,
  };
}
