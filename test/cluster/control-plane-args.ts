import { join } from "node:path";
import { apiServerArgs } from "../control-plane/api-server.ts";
import { controllerManagerArgs } from "../control-plane/controller-manager.ts";
import { etcdArgs } from "../control-plane/etcd.ts";
import { authenticationConfigurationPath, writeAuthenticationConfiguration } from "./authentication-configuration.ts";
import { clusterPaths } from "./cluster-paths.ts";
import type { Credentials } from "./credentials.ts";
import { network } from "./network.ts";

/** A port on the node's own loopback interface, without conflicts. */
const etcdUrl = "http://127.0.0.1:2379";

/** Returns the arguments of the control plane, as in the tests without nodes, with additional ones for a node. */
export async function controlPlaneArgs(credentials: Credentials): Promise<{
  readonly etcd: readonly string[];
  readonly apiServer: readonly string[];
  readonly controllerManager: (kubeconfig: string) => readonly string[];
}> {
  const { clusterCas, apiServer, kubeletClient, frontProxy } = credentials;
  await writeAuthenticationConfiguration();
  return {
    etcd: etcdArgs(clusterPaths.state, etcdUrl, 2380),
    apiServer: (
      await apiServerArgs({
        directory: clusterPaths.state,
        port: network().apiPort,
        etcdUrl,
        clusterCas,
        serving: apiServer,
        auditLogPath: join(clusterPaths.logs, "audit.log"),
        featureGates: {},
        // The last one of duplicate flags takes effect.
        extraArgs: [
          `--bind-address=${network().nodeAddress}`,
          `--advertise-address=${network().nodeAddress}`,
          "--endpoint-reconciler-type=lease",
          `--service-cluster-ip-range=${network().services}`,
          "--enable-admission-plugins=NodeRestriction",
          `--authentication-config=${authenticationConfigurationPath}`,
          `--kubelet-certificate-authority=${clusterCas.serving}.crt`,
          `--kubelet-client-certificate=${kubeletClient}.crt`,
          `--kubelet-client-key=${kubeletClient}.key`,
          "--kubelet-preferred-address-types=InternalIP",
          `--proxy-client-cert-file=${frontProxy}.crt`,
          `--proxy-client-key-file=${frontProxy}.key`,
        ],
      })
    ).map((arg) => (arg === "--authorization-mode=RBAC" ? "--authorization-mode=Node,RBAC" : arg)),
    controllerManager: (kubeconfig) => [
      ...controllerManagerArgs({ directory: clusterPaths.state, kubeconfig, clusterCas }),
      `--cluster-cidr=${network().pods}`,
      `--cluster-signing-cert-file=${clusterCas.clients}.crt`,
      `--cluster-signing-key-file=${clusterCas.clients}.key`,
      `--flex-volume-plugin-dir=${join(clusterPaths.state, "volume-plugins")}`,
      // On a busy machine kubelet is late, which must not evict pods.
      "--node-monitor-grace-period=120s",
    ],
  };
}
