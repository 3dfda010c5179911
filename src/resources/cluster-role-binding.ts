import type { MlflowServer } from "../api/server.ts";
import type { ClusterRoleBinding } from "../kube/manifests.ts";
import { serverRole } from "../kube/server-roles.ts";
import { usesSubjectAccessReview } from "./authentication/kubernetes-authorization.ts";
import type { Inputs } from "./inputs.ts";
import { crossNamespaceMetadata } from "./metadata.ts";
import { objectNames } from "./names.ts";

/**
 * MLflow sees which namespaces are its workspaces: the plugin lists them. Only where at least one has said so: whoever may
 * write an MlflowServer, but not label a namespace, does not come to see others' namespaces by it.
 */
export function clusterRoleBinding({ server, workspaces }: Inputs): ClusterRoleBinding | undefined {
  if (server.spec.workspaces === undefined || workspaces.length === 0) return undefined;
  return binding(server, objectNames.clusterRoleBinding, serverRole.workspaces);
}

/** MLflow asks what people may do whom the proxy vouches for. It can ask that of anybody, so this, too, takes consent. */
export function reviewerBinding({ server, workspaces }: Inputs): ClusterRoleBinding | undefined {
  if (!usesSubjectAccessReview(server.spec) || workspaces.length === 0) return undefined;
  return binding(server, objectNames.reviewerBinding, serverRole.reviewer);
}

function binding(
  server: MlflowServer,
  nameOf: (namespace: string, server: string) => string,
  role: string,
): ClusterRoleBinding {
  const { name, namespace = "default" } = server.metadata;
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: crossNamespaceMetadata(server, nameOf(namespace, name)),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [{ kind: "ServiceAccount", name: objectNames.serviceAccount(name), namespace }],
  };
}
