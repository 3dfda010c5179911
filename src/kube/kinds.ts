/**
 * The table of kinds that the operator reads or writes, with the verbs. The watches, the request paths and the
 * chart's ClusterRole are derived from it, so the operator has exactly these permissions.
 */

export type Verb = "get" | "list" | "watch" | "create" | "patch" | "update" | "delete";

/** Verbs of a role: those of the table, and `bind`, to bind a role without having its permissions. */
export type RoleVerb = Verb | "bind";

/**
 * How the operator uses a kind:
 * - `reconciled`: the resource that users write;
 * - `owned`: written by the operator; watched completely, by the operator's label;
 * - `observed`: created for objects of the operator; watched by the operator's label, read only;
 * - `referenced`: can be referenced in a spec; watched as metadata only, its content is read by name;
 * - `inspected`: any object in the namespace of a server that can conflict with it; watched, in a short form, when a server needs it;
 * - `optingIn`: opts in as a workspace by a label; watched by that label, read only;
 * - `granting`: grants roles in its namespace, which is a workspace;
 * - `granted`: written by the operator in workspaces; watched completely, by the operator's label;
 * - `requesting`: requests an operation on a server of its namespace, such as a backup;
 * - `runtime`: needed by the process itself, such as the Lease.
 * A kind can have several roles: Secrets of the operator are owned, those of users are referenced.
 */
export type Role =
  | "reconciled"
  | "owned"
  | "observed"
  | "referenced"
  | "inspected"
  | "optingIn"
  | "granting"
  | "granted"
  | "requesting"
  | "runtime";

export interface KindRow {
  readonly apiVersion: string;
  readonly plural: string;
  readonly roles: readonly Role[];
  readonly verbs: readonly Verb[];
  /** Only used by an operator that watches all namespaces. Cluster: cluster-scoped; Everywhere: in workspaces. */
  readonly scope?: "Cluster" | "Everywhere";
  /** Objects can belong to a server in another namespace, according to their labels. Never a kind whose content servers trust. */
  readonly isCrossNamespace?: true;
  /** The kind can be absent: the operator runs without it, and detects when it is installed. */
  readonly isOptional?: true;
  /** How an existing object is changed; default: by server-side apply. */
  readonly write?: "MergePatch";
  /** Paths of immutable fields: an object with another value than the desired one is deleted and created again. */
  readonly immutable?: readonly string[];
  /** Verbs that only an operator of all namespaces needs. */
  readonly verbsEverywhere?: readonly Verb[];
  /** Subresources with their verbs. */
  readonly subresources?: Readonly<Record<string, readonly Verb[]>>;
}

const written: readonly Verb[] = ["get", "list", "watch", "create", "patch", "delete"];

export const kinds = {
  MlflowServer: {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    plural: "mlflowservers",
    roles: ["reconciled"],
    verbs: ["get", "list", "watch"],
    // The finalizer is part of the object itself: no narrower permission allows to set it.
    verbsEverywhere: ["patch"],
    subresources: { status: ["patch"], finalizers: ["update"] },
  },
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts", roles: ["owned"], verbs: written },
  Service: {
    apiVersion: "v1",
    plural: "services",
    roles: ["owned", "inspected"],
    verbs: written,
    immutable: ["spec.ipFamilies.0", "spec.loadBalancerClass"],
  },
  Secret: { apiVersion: "v1", plural: "secrets", roles: ["owned", "referenced"], verbs: written },
  ConfigMap: { apiVersion: "v1", plural: "configmaps", roles: ["owned", "referenced"], verbs: written },
  PersistentVolumeClaim: { apiVersion: "v1", plural: "persistentvolumeclaims", roles: ["owned"], verbs: written },
  Job: { apiVersion: "batch/v1", plural: "jobs", roles: ["owned"], verbs: written },
  CronJob: { apiVersion: "batch/v1", plural: "cronjobs", roles: ["owned"], verbs: written },
  Deployment: { apiVersion: "apps/v1", plural: "deployments", roles: ["owned"], verbs: written },
  NetworkPolicy: {
    apiVersion: "networking.k8s.io/v1",
    plural: "networkpolicies",
    roles: ["owned"],
    verbs: written,
  },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets", roles: ["owned"], verbs: written },
  HorizontalPodAutoscaler: {
    apiVersion: "autoscaling/v2",
    plural: "horizontalpodautoscalers",
    roles: ["owned"],
    verbs: written,
  },
  ClusterRoleBinding: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    plural: "clusterrolebindings",
    roles: ["owned"],
    verbs: written,
    immutable: ["roleRef"],
    scope: "Cluster",
    isCrossNamespace: true,
  },
  Gateway: {
    apiVersion: "gateway.networking.k8s.io/v1",
    plural: "gateways",
    roles: ["owned"],
    verbs: written,
    isOptional: true,
  },
  AuthorizationPolicy: {
    apiVersion: "security.istio.io/v1",
    plural: "authorizationpolicies",
    roles: ["owned", "inspected"],
    verbs: written,
    isOptional: true,
  },
  Ingress: { apiVersion: "networking.k8s.io/v1", plural: "ingresses", roles: ["owned"], verbs: written },
  HTTPRoute: {
    apiVersion: "gateway.networking.k8s.io/v1",
    plural: "httproutes",
    roles: ["owned"],
    verbs: written,
    isOptional: true,
  },
  Namespace: {
    apiVersion: "v1",
    plural: "namespaces",
    roles: ["optingIn"],
    verbs: ["list", "watch"],
    scope: "Cluster",
  },
  RoleBinding: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    plural: "rolebindings",
    roles: ["granted"],
    verbs: written,
    // Apply after a POST takes two requests, and no other manager owns fields of these objects.
    write: "MergePatch",
    immutable: ["roleRef"],
    scope: "Everywhere",
    isCrossNamespace: true,
  },
  MlflowWorkspaceAccess: {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    plural: "mlflowworkspaceaccesses",
    roles: ["granting"],
    verbs: ["list", "watch"],
    scope: "Everywhere",
    subresources: { status: ["patch"] },
  },
  MlflowBackup: {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    plural: "mlflowbackups",
    roles: ["requesting"],
    // Created and deleted for a schedule, and before an upgrade.
    verbs: ["list", "watch", "create", "delete"],
    subresources: { status: ["patch"] },
  },
  MlflowBackupSchedule: {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    plural: "mlflowbackupschedules",
    roles: ["requesting"],
    verbs: ["list", "watch"],
    subresources: { status: ["patch"] },
  },
  // "get" loads a pod whose event arrived before the event of its server.
  Pod: { apiVersion: "v1", plural: "pods", roles: ["observed"], verbs: ["get", "list", "watch"] },
  // Listed only to find out why a pod of a server does not start.
  Event: { apiVersion: "events.k8s.io/v1", plural: "events", roles: ["runtime"], verbs: ["list", "create", "patch"] },
  Lease: {
    apiVersion: "coordination.k8s.io/v1",
    plural: "leases",
    roles: ["runtime"],
    verbs: ["get", "list", "watch", "create", "update"],
  },
} as const satisfies Record<string, KindRow>;

export type Kind = keyof typeof kinds;

/** The kinds that have a role, in the table's order. */
export function kindsWith(role: Role): Kind[] {
  return Object.entries<KindRow>(kinds).flatMap(([kind, row]) =>
    row.roles.includes(role) && isKind(kind) ? [kind] : [],
  );
}

/** The row of a kind, with all optional fields. */
export function rowOf(kind: Kind): KindRow {
  return kinds[kind];
}

export function isKind(text: string): text is Kind {
  return Object.hasOwn(kinds, text);
}

/** The kinds of this operator. */
export const ownKinds = [
  "MlflowServer",
  "MlflowWorkspaceAccess",
  "MlflowBackup",
  "MlflowBackupSchedule",
] as const satisfies readonly Kind[];

export type OwnKind = (typeof ownKinds)[number];

export function isOwnKind(text: string): text is OwnKind {
  return ownKinds.some((kind) => kind === text);
}

/** `/api/v1` or `/apis/<group>/<version>`, then the namespace if there is one, the plural and the name. */
export function resourcePath(kind: Kind, namespace?: string, name?: string, subresource?: string): string {
  const { apiVersion, plural } = kinds[kind];
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${plural}${object}${subresource === undefined ? "" : `/${subresource}`}`;
}
