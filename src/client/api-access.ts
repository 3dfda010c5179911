import { type CredentialSource, credentialSource } from "./credentials.ts";
import { serviceAccount } from "./service-account.ts";

/** Which API server, and as whom: by a kubeconfig that is named, or as the pod that this process runs in. */
export type ApiAccess =
  | { readonly kubeconfig: string; readonly context?: string }
  | { readonly host: string; readonly port: string; readonly serviceAccountDirectory?: string };

/** The credentials for it. What is wrong with them is thrown when they are first asked for. */
export function credentialsFor(access: ApiAccess, now?: () => number): CredentialSource {
  if (!("kubeconfig" in access)) {
    const read = serviceAccount(access.host, access.port, access.serviceAccountDirectory);
    return credentialSource(async () => read, now);
  }
  return credentialSource(async () => {
    // Loaded only where it is used: the package takes more memory than all else.
    const { kubeconfig } = await import("./kubeconfig.ts");
    return kubeconfig(access.kubeconfig, access.context);
  }, now);
}
