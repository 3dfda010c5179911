import type { V1EnvVar } from "@kubernetes/client-node";
import type { Inputs } from "../inputs.ts";
import type { Mounted } from "../pod/mounted-volume.ts";
import { literal } from "../pod/variable.ts";
import { excludedNamespaces, selectorText, workspaceStoreUri } from "../workspaces.ts";
import type { Authentication } from "./authentication.ts";
import { proxyIdentity } from "./identity.ts";
import { usesSubjectAccessReview } from "./kubernetes-authorization.ts";

/**
 * Kubernetes decides what a caller may do, by RBAC on mlflow.kubeflow.org in the workspace's namespace, without workspaces in
 * the server's own: the caller's token is shown to the API server in a SelfSubjectAccessReview, for which the server
 * needs no right, or with SubjectAccessReview the API server is asked about the names in the ID token that oauth2-proxy has verified.
 */
export function kubernetesAuthentication(inputs: Inputs): Authentication {
  const { server } = inputs;
  const hasWorkspaces = server.spec.workspaces !== undefined;
  const byName = usesSubjectAccessReview(server.spec);
  const way = byName ? proxyIdentity(inputs) : callerToken;
  return {
    ...way,
    env: [
      ...way.env,
      literal("MLFLOW_K8S_AUTH_AUTHORIZATION_MODE", `${byName ? "" : "self_"}subject_access_review`),
      literal("MLFLOW_K8S_AUTH_WORKSPACES_ENABLED", String(hasWorkspaces)),
      literal("MLFLOW_K8S_AUTH_NAMESPACE", hasWorkspaces ? "" : (server.metadata.namespace ?? "default")),
      ...workspaceSettings(server),
      // The plugin's default is five minutes, for which rights that were taken away, and expired tokens, would live on.
      literal("MLFLOW_K8S_AUTH_CACHE_TTL_SECONDS", "60"),
      literal("MLFLOW_K8S_AUTH_USERNAME_CLAIM", "sub"),
      // Its defaults are headers that anybody may send. With SubjectAccessReview our application puts its own in their place.
      literal("MLFLOW_K8S_AUTH_REMOTE_USER_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_HEADER", "x-unused"),
      literal("MLFLOW_K8S_AUTH_REMOTE_GROUPS_SEPARATOR", "|"),
    ],
    mounted: [...way.mounted, apiServer(hasWorkspaces || byName)],
  };
}

const callerToken = { application: "kubernetes-auth", env: [], files: {}, mounted: [] } as const;

/** Which namespaces are workspaces, said twice, since the plugin looks into its own variables where the URI is silent. */
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
 * What Kubernetes' Python client looks for in a pod: the API server's authority, and a token. It would not start without
 * one; where it has nothing to ask for itself, the token is for an audience that the API server does not take.
 */
function apiServer(asksItself: boolean): Mounted {
  const serviceAccountToken = { path: "token", expirationSeconds: 3600, ...(!asksItself && { audience: "nobody" }) };
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
