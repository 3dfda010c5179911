import type { V1EnvVar } from "@kubernetes/client-node";
import type { Mounted } from "../../features/common/mounted-volume.ts";
import { literal } from "../../features/common/variable.ts";
import type { Inputs } from "../../model/inputs.ts";
import { usesSubjectAccessReview } from "../../model/kubernetes-authorization.ts";
import { excludedNamespaces, selectorText, workspaceStoreUri } from "../../model/workspaces.ts";
import type { Authentication } from "./authentication.ts";
import { proxyIdentity } from "./identity.ts";

/**
 * Returns authentication with Kubernetes RBAC on mlflow.kubeflow.org in the workspace's namespace, without workspaces in the
 * server's own. Either MLflow sends a SelfSubjectAccessReview with the caller's token, which needs no permission of the server,
 * or a SubjectAccessReview for the names in the ID token that oauth2-proxy has verified.
 */
export function kubernetesAuthentication(inputs: Inputs): Authentication {
  const { server } = inputs;
  const hasWorkspaces = server.spec.workspaces !== undefined;
  const byName = usesSubjectAccessReview(server.spec);
  const method = byName ? proxyIdentity(inputs) : callerToken;
  return {
    ...method,
    env: [
      ...method.env,
      literal("MLFLOW_K8S_AUTH_AUTHORIZATION_MODE", `${byName ? "" : "self_"}subject_access_review`),
      literal("MLFLOW_K8S_AUTH_WORKSPACES_ENABLED", String(hasWorkspaces)),
      literal("MLFLOW_K8S_AUTH_NAMESPACE", hasWorkspaces ? "" : (server.metadata.namespace ?? "default")),
      ...workspaceSettings(server),
      // The plugin's default is five minutes, during which revoked permissions and expired tokens remain valid.
      literal("MLFLOW_K8S_AUTH_CACHE_TTL_SECONDS", "60"),
      literal("MLFLOW_K8S_AUTH_USERNAME_CLAIM", "sub"),
      // The defaults are headers that any client can send. With SubjectAccessReview the middleware replaces them.
      literal("MLFLOW_K8S_AUTH_REMOTE_USER_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_SEPARATOR", "|"),
    ],
    mounted: [...method.mounted, apiServer(hasWorkspaces || byName)],
  };
}

const callerToken = { application: "kubernetes-auth", env: [], files: {}, mounted: [] } as const;

/** Returns the selection of workspaces, in the URI and in variables: the plugin reads variables for what the URI does not set. */
function workspaceSettings(server: Inputs["server"]): V1EnvVar[] {
  const { workspaces } = server.spec;
  return [
    ...(workspaces === undefined
      ? []
      : [
          literal("MLFLOW_ENABLE_WORKSPACES", "true"),
          literal("MLFLOW_WORKSPACE_STORE_URI", workspaceStoreUri(server)),
        ]),
    literal("MLFLOW_K8S_WORKSPACE_LABEL_SELECTOR", workspaces === undefined ? "" : selectorText(server)),
    literal("MLFLOW_K8S_DEFAULT_WORKSPACE", workspaces?.default ?? ""),
    literal("MLFLOW_K8S_NAMESPACE_EXCLUDE_GLOBS", excludedNamespaces.join(",")),
  ];
}

/**
 * Returns the files that Kubernetes' Python client requires in a pod: the API server's CA bundle, and a token. If the server
 * makes no requests of its own, the token has an audience that the API server rejects.
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
