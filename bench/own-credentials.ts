import { credentialsFor } from "../src/kube/client/api-access.ts";
import type { CredentialSource } from "../src/kube/client/credentials.ts";

/** Returns the credentials from the environment of a pod, as the operator reads them. */
export function ownCredentials(): CredentialSource {
  const { env } = process;
  return credentialsFor({
    host: env["KUBERNETES_SERVICE_HOST"] ?? "",
    port: env["KUBERNETES_SERVICE_PORT"] ?? "",
    serviceAccountDirectory: env["MLFLOW_OPERATOR_SERVICE_ACCOUNT_DIRECTORY"] ?? "",
  });
}
