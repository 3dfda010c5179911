import { label, manager } from "./names.ts";
import type { ClusterRole } from "./rbac.ts";

/** Names of the ClusterRoles that the operator binds to the ServiceAccounts of servers; they are installed with it. */
export const serverRole = {
  /** To see which namespaces are workspaces. */
  workspaces: "mlflow-server",
  /** To ask what somebody else may do. */
  reviewer: "mlflow-server-reviewer",
} as const;

/** What MLflow itself may do in the whole cluster, where a server needs it. Nothing in it reads Secrets. */
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
