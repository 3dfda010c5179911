import { access } from "node:fs/promises";
import { type Report, reportOnStderr } from "./binaries.ts";
import { startControlPlane } from "./control-plane.ts";
import { dockerCanPull, k3sImage } from "./docker.ts";

export interface Kubernetes {
  /** `kubeconfig`: an existing cluster, which stays; the other two end with `close`. */
  readonly source: "kubeconfig" | "k3s" | "control-plane";
  /** Description for users, such as "a control plane without nodes, built from Go modules". */
  readonly description: string;
  readonly kubeconfigPath: string;
  /** A path, or a name on the PATH. */
  readonly kubectlProgram: string;
  readonly close: () => Promise<void>;
}

export interface KubernetesOptions {
  /** Path of an explicit kubeconfig. The variable `KUBECONFIG` and `~/.kube/config` are never read, since they can be for production. */
  readonly kubeconfig?: string;
  readonly report?: Report;
}

/** Returns a Kubernetes API: that of the kubeconfig, otherwise K3s if a Docker engine can pull its image, otherwise a control plane without nodes, built once from Go modules. */
export async function kubernetesApi(options: KubernetesOptions = {}): Promise<Kubernetes> {
  const { kubeconfig, report = reportOnStderr } = options;
  if (kubeconfig !== undefined) {
    await access(kubeconfig).catch((error: unknown) => {
      throw new Error(`The kubeconfig "${kubeconfig}" cannot be read: use another.`, { cause: error });
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
    // Imported only if needed: it includes a container client.
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
    description: "a control plane without nodes",
    kubeconfigPath: controlPlane.kubeconfigPath,
    kubectlProgram: controlPlane.address.kubectlProgram,
    close: controlPlane.close,
  };
}
