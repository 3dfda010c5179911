import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterPaths } from "./cluster-paths.ts";
import { controlGroup } from "./control-groups.ts";
import { ipFamily, network } from "./network.ts";

/** The node's name. */
export const nodeName = "mlflow";

/** Credential files of kubelet. */
export interface KubeletFiles {
  readonly kubeconfig: string;
  /** The CA certificate of its clients. */
  readonly clientCa: string;
  /** The serving certificate, without `.crt` and `.key`. */
  readonly serving: string;
}

/** Returns the arguments of kubelet 1.36, and writes its configuration. */
export async function kubeletArgs({ kubeconfig, clientCa, serving }: KubeletFiles): Promise<readonly string[]> {
  const resolvConf = join(clusterPaths.state, "resolv.conf");
  // The cluster's DNS has no upstream: names outside the cluster do not resolve.
  await writeFile(resolvConf, "");
  const config = {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: network().nodeAddress,
    healthzPort: 0,
    readOnlyPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: clientCa },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: `${serving}.crt`,
    tlsPrivateKeyFile: `${serving}.key`,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    podLogsDir: join(clusterPaths.state, "pod-logs"),
    volumePluginDir: join(clusterPaths.state, "volume-plugins"),
    clusterDomain: "cluster.local",
    clusterDNS: [network().dnsService],
    resolvConf,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${controlGroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    // Without CAP_SYS_RESOURCE neither can exceed the limits of this machine.
    oomScoreAdj: 0,
    maxOpenFiles: 16384,
    podPidsLimit: 4096,
    makeIPTablesUtilChains: false,
    // Images are never removed: there may be no registry to pull them from again. The kubelet removes all unused images at every eviction signal
    // of a disk, so there is none.
    imageGCHighThresholdPercent: 100,
    imageMaximumGCAge: "0s",
    evictionHard: { "memory.available": "200Mi" },
    evictionPressureTransitionPeriod: "10s",
    nodeStatusUpdateFrequency: "5s",
    syncFrequency: "10s",
    serializeImagePulls: false,
  };
  const path = join(clusterPaths.state, "kubelet.json");
  await writeFile(path, JSON.stringify(config));
  return [
    `--config=${path}`,
    `--kubeconfig=${kubeconfig}`,
    `--root-dir=${join(clusterPaths.state, "kubelet")}`,
    `--cert-dir=${join(clusterPaths.state, "kubelet", "pki")}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${network().nodeAddress}`,
  ];
}

/** Returns the arguments of kube-proxy 1.36 with nftables, and writes its configuration. */
export async function proxyArgs(kubeconfig: string): Promise<readonly string[]> {
  const config = {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    bindAddress: network().nodeAddress,
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    clientConnection: { kubeconfig },
    clusterCIDR: network().pods,
    hostnameOverride: nodeName,
    oomScoreAdj: 0,
    nodePortAddresses: [`${network().nodeAddress}/${network().longestPrefix}`],
    nftables: { minSyncPeriod: "200ms", syncPeriod: "30s", masqueradeBit: 14 },
    // These settings apply to the whole machine, so they are not changed.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
  const path = join(clusterPaths.state, "kube-proxy.json");
  await writeFile(path, JSON.stringify(config));
  return [`--config=${path}`];
}

/** Returns the arguments of kube-router 2.1, which only enforces NetworkPolicies. */
export function networkPolicyArgs(kubeconfig: string): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${nodeName}`,
    "--run-firewall=true",
    "--run-router=false",
    "--run-service-proxy=false",
    "--run-loadbalancer=false",
    `--service-cluster-ip-range=${network().services}`,
    `--enable-ipv4=${ipFamily() === "IPv4"}`,
    `--enable-ipv6=${ipFamily() === "IPv6"}`,
    "--health-port=0",
    "--metrics-port=0",
  ];
}

/** Returns the arguments of kube-scheduler 1.36. */
export function schedulerArgs(kubeconfig: string): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    "--bind-address=127.0.0.1",
    `--cert-dir=${join(clusterPaths.state, "kube-scheduler")}`,
    "--leader-elect=false",
    "--profiling=false",
  ];
}
