import type { MlflowServer } from "../api/server.ts";
import type { ClusterRoleBinding } from "../kube/manifests.ts";
import { serverRole } from "../kube/server-roles.ts";
import type { Inputs } from "../model/inputs.ts";
import { usesSubjectAccessReview } from "../model/kubernetes-authorization.ts";
import { crossNamespaceMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";

/**
 * Returns the ClusterRoleBinding that allows MLflow's plugin to list namespaces. Only if at least one namespace has opted in: a
 * user who can create an MlflowServer, but not label a namespace, must not gain permission to list namespaces.
 */
export function clusterRoleBinding({ server, workspaces }: Inputs): ClusterRoleBinding | undefined {
  if (server.spec.workspaces === undefined || workspaces.length === 0) return undefined;
  return binding(server, objectNames.clusterRoleBinding, serverRole.workspaces);
}

/** Returns the ClusterRoleBinding for SubjectAccessReviews. MLflow can create them for any user, so a namespace must opt in. */
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
