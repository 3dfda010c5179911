import { type CredentialSource, credentialSource } from "./credentials.ts";
import { serviceAccount } from "./service-account.ts";

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
