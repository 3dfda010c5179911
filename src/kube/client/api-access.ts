import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { type CredentialSource, credentialSource, type ReadCredentials } from "./credentials.ts";

/** How to reach and authenticate to the API server: by a kubeconfig, or as the service account of the pod. */
export type ApiAccess =
  | { readonly kubeconfig: string; readonly context?: string }
  | { readonly host: string; readonly port: string; readonly serviceAccountDirectory?: string };

/** Returns the source of the credentials. The first call of `current` throws if they are invalid. */
export function credentialsFor(access: ApiAccess, now?: () => number): CredentialSource {
  if (!("kubeconfig" in access)) {
    const read = serviceAccount(access.host, access.port, access.serviceAccountDirectory);
    return credentialSource(async () => read, now);
  }
  return credentialSource(async () => {
    // Imported only if needed: the package takes more memory than the rest of the operator.
    const { kubeconfig } = await import("./kubeconfig.ts");
    return kubeconfig(access.kubeconfig, access.context);
  }, now);
}

/** Where the kubelet mounts the token of a pod and the CA certificate of the cluster. */
export const serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Reads the credentials of the pod's service account; host and port of the API server are in the environment
 * (`KUBERNETES_SERVICE_HOST`, `KUBERNETES_SERVICE_PORT`). The same as KubeConfig.loadFromCluster, without the 30 MB of memory
 * for its import.
 */
export function serviceAccount(host: string, port: string, directory = serviceAccountDirectory): ReadCredentials {
  const server = new URL(`https://${inUrl(host)}:${port}`);
  return async () => {
    const [ca, token] = await Promise.all([
      readFile(join(directory, "ca.crt"), "utf8"),
      readFile(join(directory, "token"), "utf8"),
    ]);
    return { server, headers: { Authorization: `Bearer ${token.trim()}` }, tls: { ca, rejectUnauthorized: true } };
  };
}

/** A host name or address as it is written in a URL. */
export function inUrl(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
