import { type KindRow, kinds, type RoleVerb } from "./kinds.ts";
import { label, manager } from "./names.ts";
import { clusterRoleName, workspaceRoleNames } from "./workspace-roles.ts";

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

/** A PolicyRule of RBAC. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly RoleVerb[];
  /** Only for these objects. */
  readonly resourceNames?: readonly string[];
}

interface RoleObject {
  readonly apiVersion: "rbac.authorization.k8s.io/v1";
  readonly rules: readonly PolicyRule[];
}

/** The operator's permissions in all namespaces. */
export interface ClusterRole extends RoleObject {
  readonly kind: "ClusterRole";
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}

/** The operator's permissions in one namespace. */
export interface NamespacedRole extends RoleObject {
  readonly kind: "Role";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
}

const apiVersion = "rbac.authorization.k8s.io/v1";
const labels = { [label.application]: manager };

/** All permissions of an operator that watches all namespaces, except those on its Lease. */
export function clusterRole(): ClusterRole {
  const rules = [...rulesOf(isOfServers, true), mayBind];
  return { apiVersion, kind: "ClusterRole", metadata: { name: manager, labels }, rules };
}

/** The only roles that the operator can bind without having their permissions. */
const mayBind: PolicyRule = {
  apiGroups: ["rbac.authorization.k8s.io"],
  resources: ["clusterroles"],
  verbs: ["bind"],
  resourceNames: [...serverRoles().map(({ metadata }) => metadata.name), ...workspaceRoleNames.map(clusterRoleName)],
};

/** All permissions of an operator that watches some namespaces, in one of them. */
export function namespacedRole(namespace: string): NamespacedRole {
  return {
    apiVersion,
    kind: "Role",
    metadata: { name: manager, namespace, labels },
    rules: rulesOf(isOfServers, false),
  };
}

/** The permissions for leader election, in the operator's own namespace. */
export function leaderElectionRole(namespace: string): NamespacedRole {
  const metadata = { name: `${manager}-leader-election`, namespace, labels };
  return { apiVersion, kind: "Role", metadata, rules: rulesOf((kind) => !isOfServers(kind), false) };
}

/** The Lease is the only object that belongs to no server: it and its Role are in the operator's namespace. */
function isOfServers(kind: string): boolean {
  return kind !== "Lease";
}

/** One rule for all resources of a group with the same verbs, in the table's order. */
function rulesOf(wanted: (kind: string) => boolean, everywhere: boolean): PolicyRule[] {
  const rights = Object.entries<KindRow>(kinds).flatMap(([kind, row]) =>
    wanted(kind) && (everywhere || row.scope === undefined) ? rightsOf(row, everywhere) : [],
  );
  const rules = Map.groupBy(rights, ({ apiGroup, verbs }) => `${apiGroup} ${verbs.join()}`);
  return [...rules.values()].map((alike) => ({
    apiGroups: [...new Set(alike.map(({ apiGroup }) => apiGroup))],
    resources: alike.map(({ resource }) => resource),
    verbs: alike[0]?.verbs ?? [],
  }));
}

interface Right {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verbs: readonly RoleVerb[];
}

function rightsOf(row: KindRow, everywhere: boolean): Right[] {
  const { apiVersion, plural, verbs, verbsEverywhere = [], subresources = {} } = row;
  const apiGroup = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  const below = Object.entries(subresources).map(([name, allowed]) => ({
    apiGroup,
    resource: `${plural}/${name}`,
    verbs: allowed,
  }));
  return [{ apiGroup, resource: plural, verbs: everywhere ? [...verbs, ...verbsEverywhere] : verbs }, ...below];
}
