import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { frontProxyName } from "../control-plane/api-server.ts";
import { type ClusterCas, issueCertificate, issueClusterCas, type Stem } from "../control-plane/certificates.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { network } from "./network.ts";
import { nodeName } from "./node-agents.ts";

/** Serving certificates, and client certificates that are not in a kubeconfig. */
export interface Credentials {
  readonly clusterCas: ClusterCas;
  readonly apiServer: Stem;
  readonly kubeletServer: Stem;
  /** The API server's client certificate for kubelet. */
  readonly kubeletClient: Stem;
  /** The API server's client certificate for aggregated APIs (metrics-server). */
  readonly frontProxy: Stem;
}

const apiServerNames = () => [
  ...["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"].map(
    (name) => `DNS:${name}`,
  ),
  ...["127.0.0.1", network().nodeAddress, network().apiService].map((address) => `IP:${address}`),
];

/** Issues new credentials in the cluster's state. */
export async function issueCredentials(): Promise<Credentials> {
  const clusterCas = await issueClusterCas(clusterPaths.state);
  const stem = (name: string) => join(clusterPaths.state, name);
  const credentials = {
    clusterCas,
    apiServer: stem("api-server"),
    kubeletServer: stem("kubelet-server"),
    kubeletClient: stem("kubelet-client"),
    frontProxy: stem("front-proxy"),
  };
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  await Promise.all([
    writeFile(stem("service-accounts.key"), privateKey, { mode: 0o600 }),
    writeFile(stem("service-accounts.pub"), publicKey),
    issueCertificate(clusterCas.serving, credentials.apiServer, {
      name: "kube-apiserver",
      alternativeNames: apiServerNames(),
    }),
    issueCertificate(clusterCas.serving, credentials.kubeletServer, {
      name: `system:node:${nodeName}`,
      groups: ["system:nodes"],
      alternativeNames: [`DNS:${nodeName}`, `IP:${network().nodeAddress}`],
    }),
    issueCertificate(clusterCas.clients, credentials.kubeletClient, {
      name: "kube-apiserver-kubelet-client",
      groups: ["system:masters"],
    }),
    issueCertificate(clusterCas.frontProxies, credentials.frontProxy, { name: frontProxyName }),
  ]);
  return credentials;
}
