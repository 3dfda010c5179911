import { label, manager } from "./names.ts";

/**
 * Permissions of a role in a workspace. The resources are not objects: MLflow's kubernetes-auth plugin uses their names in
 * access reviews for a namespace (mlflow-kubernetes-plugins 2.1.0).
 */
export const workspaceRoleNames = ["Viewer", "Editor", "Admin", "TraceWriter"] as const;

export type WorkspaceRole = (typeof workspaceRoleNames)[number];

export function isWorkspaceRole(text: string): text is WorkspaceRole {
  return workspaceRoleNames.some((name) => name === text);
}

/** The API group of the pseudo-resources. */
export const workspaceGroup = "mlflow.kubeflow.org";

interface WorkspaceRule {
  readonly resources: readonly string[];
  readonly verbs: readonly ("get" | "list" | "create" | "update" | "delete")[];
}

/** The resources that teams use. */
const work = ["datasets", "experiments", "mcpservers", "registeredmodels", "skills"];
const gateway = ["gatewaybudgets", "gatewayendpoints", "gatewayguardrails", "gatewaymodeldefinitions"];

const viewer: readonly WorkspaceRule[] = [{ resources: [...work, ...gateway].sort(), verbs: ["get", "list"] }];

/** Like MLflow's permission EDIT, without delete: deleting an experiment also deletes the runs of other users. */
const editor: readonly WorkspaceRule[] = [
  ...viewer,
  { resources: work, verbs: ["create", "update"] },
  { resources: ["gatewayendpoints/use"], verbs: ["create"] },
];

/** Only administrators can read the masked credentials of model providers and use them, since they can also replace them. */
const admin: readonly WorkspaceRule[] = [
  ...editor,
  { resources: work, verbs: ["delete"] },
  { resources: gateway, verbs: ["create", "update", "delete"] },
  { resources: ["gatewaysecrets"], verbs: ["get", "list", "create", "update", "delete"] },
  { resources: ["gatewaymodeldefinitions/use", "gatewaysecrets/use"], verbs: ["create"] },
];

/** The permission that ingestion of traces requires; the plugin has no narrower one. It does not allow to read. */
const traceWriter: readonly WorkspaceRule[] = [{ resources: ["experiments"], verbs: ["update"] }];

/**
 * The rules of each role. `assistants` is in none: MLflow's assistant runs commands on the server for clients that it
 * considers local.
 */
export const workspaceRules: Readonly<Record<WorkspaceRole, readonly WorkspaceRule[]>> = {
  Viewer: viewer,
  Editor: editor,
  Admin: admin,
  TraceWriter: traceWriter,
};

/** The name of the ClusterRole of a role: `mlflow-workspace-trace-writer`. */
export function clusterRoleName(role: WorkspaceRole): string {
  return `mlflow-workspace-${role === "TraceWriter" ? "trace-writer" : role.toLowerCase()}`;
}

/** Whether a role allows this verb on this resource, such as `create` on `gatewayendpoints/use`. */
export function allows(role: WorkspaceRole, verb: string, resource: string): boolean {
  return workspaceRules[role].some(
    ({ resources, verbs }) => resources.includes(resource) && verbs.some((each) => each === verb),
  );
}

export interface WorkspaceClusterRole {
  readonly apiVersion: "rbac.authorization.k8s.io/v1";
  readonly kind: "ClusterRole";
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly rules: readonly (WorkspaceRule & { readonly apiGroups: readonly string[] })[];
}

/** The ClusterRole of a role, which is installed once for a cluster. */
export function workspaceClusterRole(role: WorkspaceRole): WorkspaceClusterRole {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: clusterRoleName(role), labels: { [label.application]: manager } },
    rules: workspaceRules[role].map((rule) => ({ apiGroups: [workspaceGroup], ...rule })),
  };
}
