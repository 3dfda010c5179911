import { label, manager } from "./names.ts";
import type { ClusterRole } from "./rbac.ts";

/** Names of the ClusterRoles that the operator binds to the ServiceAccounts of servers; the chart installs them. */
export const serverRole = {
  /** To list the namespaces that are workspaces. */
  workspaces: "mlflow-server",
  /** To create SubjectAccessReviews for other users. */
  reviewer: "mlflow-server-reviewer",
} as const;

/** Cluster-wide permissions of MLflow, for servers that need them. They do not include Secrets. */
export function serverRoles(): ClusterRole[] {
  return [
    role(serverRole.workspaces, [
      { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "list", "watch"] },
      { apiGroups: ["mlflow.kubeflow.org"], resources: ["mlflowconfigs"], verbs: ["get", "list", "watch"] },
    ]),
    role(serverRole.reviewer, [
      { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
    ]),
  ];
}

function role(name: string, rules: ClusterRole["rules"]): ClusterRole {
  const metadata = { name, labels: { [label.application]: manager } };
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata, rules };
}
