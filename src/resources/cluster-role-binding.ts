import type { ClusterRoleBinding } from "../kube/manifests.ts";
import { serverRole } from "../kube/server-roles.ts";
import type { Inputs } from "./inputs.ts";
import { releasedMetadata } from "./metadata.ts";
import { objectNames } from "./names.ts";

/**
 * MLflow sees which namespaces are its workspaces: the plugin lists them. Only where at least one has said so: whoever may
 * write an MlflowServer, but not label a namespace, does not come to see others' namespaces by it.
 */
export function clusterRoleBinding({ server, workspaces }: Inputs): ClusterRoleBinding | undefined {
  if (server.spec.workspaces === undefined || workspaces.length === 0) return undefined;
  const { name, namespace = "default" } = server.metadata;
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: releasedMetadata(server, objectNames.clusterRoleBinding(namespace, name)),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: serverRole.workspaces },
    subjects: [{ kind: "ServiceAccount", name: objectNames.serviceAccount(name), namespace }],
  };
}
