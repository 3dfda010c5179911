import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterCas, Stem } from "./certificates.ts";

export interface ApiServerSettings {
  readonly directory: string;
  readonly port: number;
  readonly etcdUrl: string;
  readonly clusterCas: ClusterCas;
  readonly serving: Stem;
  /** Empty for none. */
  readonly auditLogPath: string;
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly extraArgs: readonly string[];
}

/** The common name of the client certificate of an authenticating proxy. The same as in K3s. */
export const frontProxyName = "system:auth-proxy";

/** Each request is one line, a watch two (start and end); bodies are not logged. */
const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata" }],
};

/** Arguments of a kube-apiserver 1.36 on the loopback interface with RBAC. Writes the files in them. */
export async function apiServerArgs(settings: ApiServerSettings): Promise<readonly string[]> {
  const { directory, clusterCas, auditLogPath } = settings;
  const policyPath = join(directory, "audit-policy.json");
  await writeFile(policyPath, JSON.stringify(auditPolicy));
  const gates = Object.entries(settings.featureGates).map(([name, on]) => `${name}=${on}`);
  return [
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    // From 1.37 on, the API server does not write a loopback address into the Service kubernetes. Without a node nothing connects to it.
    "--endpoint-reconciler-type=none",
    `--secure-port=${settings.port}`,
    `--etcd-servers=${settings.etcdUrl}`,
    `--tls-cert-file=${settings.serving}.crt`,
    `--tls-private-key-file=${settings.serving}.key`,
    `--client-ca-file=${clusterCas.clients}.crt`,
    `--requestheader-client-ca-file=${clusterCas.frontProxies}.crt`,
    `--requestheader-allowed-names=${frontProxyName}`,
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-signing-key-file=${join(directory, "service-accounts.key")}`,
    `--service-account-key-file=${join(directory, "service-accounts.pub")}`,
    "--authorization-mode=RBAC",
    "--allow-privileged=true",
    "--profiling=false",
    // No rotation: tests would miss calls.
    ...(auditLogPath
      ? [`--audit-policy-file=${policyPath}`, `--audit-log-path=${auditLogPath}`, "--audit-log-maxsize=100000"]
      : []),
    ...(gates.length > 0 ? [`--feature-gates=${gates.join(",")}`] : []),
    ...settings.extraArgs,
  ];
}
