import { join } from "node:path";
import type { ClusterCas } from "./certificates.ts";

export interface ControllerManagerSettings {
  readonly directory: string;
  /** Of the user `system:kube-controller-manager`. */
  readonly kubeconfig: string;
  readonly clusterCas: ClusterCas;
}

/** Arguments of a kube-controller-manager 1.36 with its default controllers. */
export function controllerManagerArgs(settings: ControllerManagerSettings): readonly string[] {
  return [
    `--kubeconfig=${settings.kubeconfig}`,
    "--use-service-account-credentials",
    `--service-account-private-key-file=${join(settings.directory, "service-accounts.key")}`,
    `--root-ca-file=${settings.clusterCas.serving}.crt`,
    "--leader-elect=false",
    // With the default limit of 20 requests a second it starts in 6 s instead of 2.
    "--kube-api-qps=1000",
    "--kube-api-burst=1000",
    "--allocate-node-cidrs=false",
    // It serves only health and metrics, which the tests do not use.
    "--secure-port=0",
    "--profiling=false",
  ];
}
