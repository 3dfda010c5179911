import type { ServerModel } from "../features/server-model.ts";
import type { ClusterRoleBinding, ServiceAccount } from "../kube/manifests.ts";
import { serverRole } from "../kube/rbac.ts";
import { crossNamespaceMetadata, ownedMetadata } from "../model/metadata.ts";

/** Returns the ServiceAccount of the pods, without a mounted token: MLflow itself does not call the Kubernetes API. */
export function serviceAccount({ owner, names, serviceAccountAnnotations: annotations }: ServerModel): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { ...ownedMetadata(owner, names.serviceAccount), ...(annotations && { annotations }) },
    automountServiceAccountToken: false,
  };
}

/**
 * Returns the ClusterRoleBinding that allows MLflow's plugin to list namespaces. Only if at least one namespace has opted in: a
 * user who can create an MlflowServer, but not label a namespace, must not gain permission to list namespaces.
 */
export function clusterRoleBinding(model: ServerModel): ClusterRoleBinding | undefined {
  const { names, workspaces } = model;
  if (!workspaces.isEnabled || workspaces.namespaces.length === 0) return undefined;
  return binding(model, names.clusterRoleBinding, serverRole.workspaces);
}

/** Returns the ClusterRoleBinding for SubjectAccessReviews. MLflow can create them for any user, so a namespace must opt in. */
export function reviewerBinding(model: ServerModel): ClusterRoleBinding | undefined {
  const { names, workspaces, authorization } = model;
  if (!authorization.usesSubjectAccessReview || workspaces.namespaces.length === 0) return undefined;
  return binding(model, names.reviewerBinding, serverRole.reviewer);
}

function binding({ owner, names, namespace }: ServerModel, name: string, role: string): ClusterRoleBinding {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: crossNamespaceMetadata(owner, name),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [{ kind: "ServiceAccount", name: names.serviceAccount, namespace }],
  };
}
