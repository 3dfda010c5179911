import type { Inputs } from "../inputs.ts";
import type { Mounted } from "../pod/mounted.ts";
import { literal } from "../pod/variable.ts";
import type { Authentication } from "./authentication.ts";

/**
 * Kubernetes decides what a caller may do, by RBAC on mlflow.kubeflow.org in the server's own namespace: the caller's token
 * is shown to the API server in a SelfSubjectAccessReview. The server itself needs no right for that.
 */
export function kubernetesAuthentication({ server }: Inputs): Authentication {
  return {
    args: ["--app-name", "kubernetes-auth"],
    env: [
      literal("MLFLOW_K8S_AUTH_AUTHORIZATION_MODE", "self_subject_access_review"),
      literal("MLFLOW_K8S_AUTH_WORKSPACES_ENABLED", "false"),
      literal("MLFLOW_K8S_AUTH_NAMESPACE", server.metadata.namespace ?? "default"),
      // The plugin's default is five minutes, for which rights that were taken away, and expired tokens, would live on.
      literal("MLFLOW_K8S_AUTH_CACHE_TTL_SECONDS", "60"),
      literal("MLFLOW_K8S_AUTH_USERNAME_CLAIM", "sub"),
      // Read by the other mode only. Its defaults are headers that anybody may send.
      literal("MLFLOW_K8S_AUTH_REMOTE_USER_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_SEPARATOR", "|"),
    ],
    files: {},
    mounted: [apiServer],
  };
}

/**
 * What Kubernetes' Python client looks for in a pod: the API server's authority, and a token. It would not start without
 * one, but never uses it here, so this one is for an audience that the API server does not take.
 */
const apiServer: Mounted = {
  volume: {
    name: "api-server",
    projected: {
      defaultMode: 0o440,
      sources: [
        { serviceAccountToken: { path: "token", audience: "nobody", expirationSeconds: 3600 } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      ],
    },
  },
  mounts: [{ name: "api-server", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true }],
};
