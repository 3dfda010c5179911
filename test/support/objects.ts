import assert from "node:assert/strict";
import type {
  V1ReplicaSetSpec,
  V1ReplicaSetStatus,
  V1ResourceQuotaSpec,
  V1ResourceQuotaStatus,
} from "@kubernetes/client-node";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { MlflowBackupSchedule } from "../../src/api/backup-schedule.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import type { MlflowWorkspaceAccess } from "../../src/api/workspace-access.ts";
import type {
  AuthorizationPolicy,
  ClusterRoleBinding,
  ConfigMap,
  CronJob,
  Deployment,
  Gateway,
  HorizontalPodAutoscaler,
  HTTPRoute,
  Ingress,
  Job,
  Namespace,
  NetworkPolicy,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  RoleBinding,
  Secret,
  Service,
  ServiceAccount,
} from "../../src/kube/manifests.ts";
import type { KubeObject } from "../../src/kube/object.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";

interface ReplicaSet extends KubeObject {
  spec: V1ReplicaSetSpec;
  status?: V1ReplicaSetStatus;
}

interface ResourceQuota extends KubeObject {
  spec: V1ResourceQuotaSpec;
  status?: V1ResourceQuotaStatus;
}

/** An event as events.k8s.io/v1 has it. */
export interface RecordedEvent extends KubeObject {
  type: string;
  reason: string;
  action: string;
  note: string;
  reportingController: string;
  regarding: { kind: string; name: string; uid?: string };
}

export interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; leaseTransitions?: number; renewTime?: string };
}

/** The kinds that the tests use, by name. */
export interface ObjectOf {
  MlflowServer: MlflowServer;
  MlflowWorkspaceAccess: MlflowWorkspaceAccess;
  MlflowBackup: MlflowBackup;
  MlflowBackupSchedule: MlflowBackupSchedule;
  ServiceAccount: ServiceAccount;
  Service: Service;
  Secret: Secret;
  ConfigMap: ConfigMap;
  NetworkPolicy: NetworkPolicy;
  PodDisruptionBudget: PodDisruptionBudget;
  HorizontalPodAutoscaler: HorizontalPodAutoscaler;
  PersistentVolumeClaim: PersistentVolumeClaim;
  Job: Job;
  CronJob: CronJob;
  Deployment: Deployment;
  ReplicaSet: ReplicaSet;
  Pod: Pod;
  ResourceQuota: ResourceQuota;
  Event: RecordedEvent;
  Lease: Lease;
  ClusterRoleBinding: ClusterRoleBinding;
  RoleBinding: RoleBinding;
  Gateway: Gateway;
  AuthorizationPolicy: AuthorizationPolicy;
  Ingress: Ingress;
  HTTPRoute: HTTPRoute;
  Namespace: Namespace;
}

export type ObjectKind = keyof ObjectOf;

const places: Readonly<Record<ObjectKind, readonly [root: string, plural: string]>> = {
  MlflowServer: ["/apis/mlflow-operator.dev/v1alpha1", "mlflowservers"],
  MlflowWorkspaceAccess: ["/apis/mlflow-operator.dev/v1alpha1", "mlflowworkspaceaccesses"],
  MlflowBackup: ["/apis/mlflow-operator.dev/v1alpha1", "mlflowbackups"],
  MlflowBackupSchedule: ["/apis/mlflow-operator.dev/v1alpha1", "mlflowbackupschedules"],
  ServiceAccount: ["/api/v1", "serviceaccounts"],
  Service: ["/api/v1", "services"],
  Secret: ["/api/v1", "secrets"],
  ConfigMap: ["/api/v1", "configmaps"],
  NetworkPolicy: ["/apis/networking.k8s.io/v1", "networkpolicies"],
  PodDisruptionBudget: ["/apis/policy/v1", "poddisruptionbudgets"],
  HorizontalPodAutoscaler: ["/apis/autoscaling/v2", "horizontalpodautoscalers"],
  PersistentVolumeClaim: ["/api/v1", "persistentvolumeclaims"],
  Job: ["/apis/batch/v1", "jobs"],
  CronJob: ["/apis/batch/v1", "cronjobs"],
  Deployment: ["/apis/apps/v1", "deployments"],
  ReplicaSet: ["/apis/apps/v1", "replicasets"],
  Pod: ["/api/v1", "pods"],
  ResourceQuota: ["/api/v1", "resourcequotas"],
  Event: ["/apis/events.k8s.io/v1", "events"],
  Lease: ["/apis/coordination.k8s.io/v1", "leases"],
  ClusterRoleBinding: ["/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"],
  RoleBinding: ["/apis/rbac.authorization.k8s.io/v1", "rolebindings"],
  Gateway: ["/apis/gateway.networking.k8s.io/v1", "gateways"],
  AuthorizationPolicy: ["/apis/security.istio.io/v1", "authorizationpolicies"],
  Ingress: ["/apis/networking.k8s.io/v1", "ingresses"],
  HTTPRoute: ["/apis/gateway.networking.k8s.io/v1", "httproutes"],
  Namespace: ["/api/v1", "namespaces"],
};

/** Cluster-scoped kinds. */
const isClusterScoped = (kind: ObjectKind) => kind === "ClusterRoleBinding" || kind === "Namespace";

/** Returns the path of the objects of a kind in a namespace, or of one of them. */
export function pathOf(kind: ObjectKind, namespace: string, name?: string): string {
  const [root, plural] = places[kind];
  const scope = isClusterScoped(kind) ? "" : `/namespaces/${namespace}`;
  return `${root}${scope}/${plural}${name === undefined ? "" : `/${name}`}`;
}

/** `v1`, `apps/v1` … */
export function apiVersionOf(kind: ObjectKind): string {
  return places[kind][0].replace(/^\/apis?\//, "");
}

export const mergePatch = "application/merge-patch+json";
export const jsonPatch = "application/json-patch+json";
export const applyPatch = "application/apply-patch+yaml";

/** An object to create or change, without apiVersion, kind and namespace. */
export interface Draft {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [more: string]: unknown;
  };
  readonly [more: string]: unknown;
}

/** Requests of an administrator in one namespace and for cluster-scoped kinds. All but `get` and `attempt` fail the test if they are rejected. */
export interface Objects {
  readonly namespace: string;
  /** Undefined if it does not exist. */
  get<K extends ObjectKind>(kind: K, name: string): Promise<ObjectOf[K] | undefined>;
  /** As {@link Objects.get}; the object must exist. */
  the<K extends ObjectKind>(kind: K, name: string): Promise<ObjectOf[K]>;
  /** Sorted by name. */
  list<K extends ObjectKind>(kind: K): Promise<readonly ObjectOf[K][]>;
  create<K extends ObjectKind>(kind: K, draft: Draft): Promise<ObjectOf[K]>;
  /** A merge patch with another field manager than that of the operator. */
  patch<K extends ObjectKind>(kind: K, name: string, patch: unknown, subresource?: string): Promise<ObjectOf[K]>;
  remove(kind: ObjectKind, name: string, options?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Evicts a pod, as a drain does. */
  evict(pod: string): Promise<void>;
  /** Makes any request. Returns status and body. */
  attempt(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<{ status: number; body: string }>;
}

export function objects(cluster: ClusterAccess, namespace: string): Objects {
  const attempt: Objects["attempt"] = (method, path, body, contentType = "application/json") =>
    cluster.request(method, path, {
      headers: { "content-type": contentType },
      ...(body !== undefined && { body }),
    });

  async function call<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T> {
    const answer = await attempt(method, path, body, contentType);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body);
  }

  async function get<K extends ObjectKind>(kind: K, name: string): Promise<ObjectOf[K] | undefined> {
    const path = pathOf(kind, namespace, name);
    const answer = await attempt("GET", path);
    if (answer.status === 404) return undefined;
    assert.equal(answer.status, 200, `GET ${path}: ${answer.body}`);
    return JSON.parse(answer.body);
  }

  return {
    namespace,
    attempt,
    get,
    the: async (kind, name) => {
      const found = await get(kind, name);
      assert.ok(found !== undefined, `there is no ${kind}/${name} in namespace ${namespace}`);
      return found;
    },
    list: async <K extends ObjectKind>(kind: K) => {
      const { items } = await call<{ items: ObjectOf[K][] }>("GET", pathOf(kind, namespace));
      for (const item of items) item.kind = kind;
      return items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    },
    create: (kind, draft) =>
      call("POST", `${pathOf(kind, namespace)}?fieldManager=another-client&fieldValidation=Strict`, {
        apiVersion: apiVersionOf(kind),
        kind,
        ...draft,
        metadata: isClusterScoped(kind) ? draft.metadata : { ...draft.metadata, namespace },
      }),
    patch: (kind, name, patch, subresource = "") =>
      call("PATCH", `${pathOf(kind, namespace, name)}${subresource}?fieldManager=another-client`, patch, mergePatch),
    remove: async (kind, name, options = {}) => {
      await call("DELETE", pathOf(kind, namespace, name), { apiVersion: "v1", kind: "DeleteOptions", ...options });
    },
    evict: async (name) => {
      const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
      await call("POST", `${pathOf("Pod", namespace, name)}/eviction`, body);
    },
  };
}
