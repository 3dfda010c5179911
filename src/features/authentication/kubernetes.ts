import type { V1EnvVar } from "@kubernetes/client-node";
import { literal } from "../../kube/variable.ts";
import type { ServerBase } from "../../model/server-base.ts";
import { excludedNamespaces } from "../../model/workspaces.ts";
import type { Mounted } from "../common/mounted-volume.ts";
import { type Authentication, type AuthenticationMethod, noSettings } from "./authentication.ts";

/** Kubernetes RBAC decides with the token of the caller. */
export function kubernetesMethod(): AuthenticationMethod {
  return { ...noSettings, displayName: "Kubernetes", pod: (base) => kubernetesAuthorization(base, callerToken) };
}

/** How a caller is identified: by the token of the request, with which MLflow calls the API server. */
export const callerToken = { application: "kubernetes-auth", env: [], files: {}, mounted: [] } as const;

/**
 * Returns authorization with Kubernetes RBAC on mlflow.kubeflow.org in the workspace's namespace, without workspaces in the
 * server's own. Either MLflow sends a SelfSubjectAccessReview with the caller's token, which needs no permission of the server,
 * or a SubjectAccessReview for the names in the ID token that oauth2-proxy has verified.
 */
export function kubernetesAuthorization(base: ServerBase, identity: Authentication): Authentication {
  const { workspaces, namespace, authorization } = base;
  const byName = authorization.usesSubjectAccessReview;
  return {
    ...identity,
    env: [
      ...identity.env,
      literal("MLFLOW_K8S_AUTH_AUTHORIZATION_MODE", `${byName ? "" : "self_"}subject_access_review`),
      literal("MLFLOW_K8S_AUTH_WORKSPACES_ENABLED", String(workspaces.isEnabled)),
      literal("MLFLOW_K8S_AUTH_NAMESPACE", workspaces.isEnabled ? "" : namespace),
      ...workspaceVariables(workspaces),
      // The plugin's default is five minutes, during which revoked permissions and expired tokens remain valid.
      literal("MLFLOW_K8S_AUTH_CACHE_TTL_SECONDS", "60"),
      literal("MLFLOW_K8S_AUTH_USERNAME_CLAIM", "sub"),
      // The defaults are headers that any client can send. With SubjectAccessReview the middleware replaces them.
      literal("MLFLOW_K8S_AUTH_REMOTE_USER_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_SEPARATOR", "|"),
    ],
    mounted: [...identity.mounted, apiServer(workspaces.isEnabled || byName)],
  };
}

/** Returns the selection of workspaces, in the URI and in variables: the plugin reads variables for what the URI does not set. */
function workspaceVariables(workspaces: ServerBase["workspaces"]): V1EnvVar[] {
  const { isEnabled, storeUri, selector } = workspaces;
  return [
    ...(isEnabled
      ? [literal("MLFLOW_ENABLE_WORKSPACES", "true"), literal("MLFLOW_WORKSPACE_STORE_URI", storeUri)]
      : []),
    literal("MLFLOW_K8S_WORKSPACE_LABEL_SELECTOR", isEnabled ? selector : ""),
    literal("MLFLOW_K8S_DEFAULT_WORKSPACE", workspaces.default),
    literal("MLFLOW_K8S_NAMESPACE_EXCLUDE_GLOBS", excludedNamespaces.join(",")),
  ];
}

/**
 * Returns the files that Kubernetes' Python client requires in a pod: the API server's CA bundle, and a token. If the server itself makes no requests, the token has an audience that the API server rejects.
 */
function apiServer(hasOwnRequests: boolean): Mounted {
  const serviceAccountToken = {
    path: "token",
    expirationSeconds: 3600,
    ...(!hasOwnRequests && { audience: "unused" }),
  };
  return {
    volume: {
      name: "api-server",
      projected: {
        defaultMode: 0o440,
        sources: [
          { serviceAccountToken },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        ],
      },
    },
    mounts: [{ name: "api-server", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true }],
  };
}
