/** The built-in kinds that the operator writes or reads, typed by @kubernetes/client-node, with required metadata. */
import type {
  V1ConfigMap,
  V1CronJobSpec,
  V1CronJobStatus,
  V1DeploymentSpec,
  V1DeploymentStatus,
  V1IngressSpec,
  V1IngressStatus,
  V1JobSpec,
  V1JobStatus,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1NetworkPolicySpec,
  V1PersistentVolumeClaimSpec,
  V1PersistentVolumeClaimStatus,
  V1PodDisruptionBudgetSpec,
  V1PodSpec,
  V1PodStatus,
  V1Secret,
  V1ServiceSpec,
  V1ServiceStatus,
  V2HorizontalPodAutoscalerSpec,
} from "@kubernetes/client-node";
import type { KubeObject } from "./object.ts";

export interface ServiceAccount extends KubeObject {
  apiVersion: "v1";
  kind: "ServiceAccount";
  automountServiceAccountToken?: boolean;
}

export interface Service extends KubeObject {
  apiVersion: "v1";
  kind: "Service";
  spec: V1ServiceSpec;
  status?: V1ServiceStatus;
}

export interface Secret extends KubeObject {
  apiVersion: "v1";
  kind: "Secret";
  type?: NonNullable<V1Secret["type"]>;
  data?: Record<string, string>;
}

export interface ConfigMap extends KubeObject {
  apiVersion: "v1";
  kind: "ConfigMap";
  data?: Record<string, string>;
  binaryData?: NonNullable<V1ConfigMap["binaryData"]>;
}

export interface PersistentVolumeClaim extends KubeObject {
  apiVersion: "v1";
  kind: "PersistentVolumeClaim";
  spec: V1PersistentVolumeClaimSpec;
  status?: V1PersistentVolumeClaimStatus;
}

export interface Job extends KubeObject {
  apiVersion: "batch/v1";
  kind: "Job";
  spec: V1JobSpec;
  status?: V1JobStatus;
}

export interface CronJob extends KubeObject {
  apiVersion: "batch/v1";
  kind: "CronJob";
  spec: V1CronJobSpec;
  /** Times as JSON has them. */
  status?: Omit<V1CronJobStatus, "lastScheduleTime" | "lastSuccessfulTime"> & {
    lastScheduleTime?: string;
    lastSuccessfulTime?: string;
  };
}

export interface Deployment extends KubeObject {
  apiVersion: "apps/v1";
  kind: "Deployment";
  spec: V1DeploymentSpec;
  status?: V1DeploymentStatus;
}

/** The JSON form: the type of the client has `_from`, since `from` is a reserved word in some languages. */
export interface IngressRule {
  from?: V1NetworkPolicyPeer[];
  ports?: V1NetworkPolicyPort[];
}

export interface NetworkPolicy extends KubeObject {
  apiVersion: "networking.k8s.io/v1";
  kind: "NetworkPolicy";
  spec: Omit<V1NetworkPolicySpec, "ingress"> & { ingress?: IngressRule[] };
}

export interface PodDisruptionBudget extends KubeObject {
  apiVersion: "policy/v1";
  kind: "PodDisruptionBudget";
  spec: V1PodDisruptionBudgetSpec;
}

export interface HorizontalPodAutoscaler extends KubeObject {
  apiVersion: "autoscaling/v2";
  kind: "HorizontalPodAutoscaler";
  spec: V2HorizontalPodAutoscalerSpec;
}

export interface Ingress extends KubeObject {
  apiVersion: "networking.k8s.io/v1";
  kind: "Ingress";
  spec: V1IngressSpec;
  status?: V1IngressStatus;
}

export interface RoleRef {
  apiGroup: "rbac.authorization.k8s.io";
  kind: "ClusterRole";
  name: string;
}

export interface Subject {
  kind: "ServiceAccount" | "User" | "Group";
  apiGroup?: "rbac.authorization.k8s.io";
  name: string;
  namespace?: string;
}

export interface ClusterRoleBinding extends KubeObject {
  apiVersion: "rbac.authorization.k8s.io/v1";
  kind: "ClusterRoleBinding";
  roleRef: RoleRef;
  subjects?: Subject[];
}

/** Permissions in a workspace of MLflow. */
export interface RoleBinding extends KubeObject {
  apiVersion: "rbac.authorization.k8s.io/v1";
  kind: "RoleBinding";
  roleRef: RoleRef;
  subjects?: Subject[];
}

/** A condition of a controller of another project: any field can be missing. */
export interface ReportedCondition {
  type?: string;
  status?: string;
  reason?: string;
  message?: string;
  /** Istio's definition also allows a string. */
  observedGeneration?: number | string;
}

/** A Gateway of the Gateway API: the fields that the operator writes, and the status that it reads. */
export interface Gateway extends KubeObject {
  apiVersion: "gateway.networking.k8s.io/v1";
  kind: "Gateway";
  spec: {
    gatewayClassName: string;
    infrastructure?: {
      labels?: Record<string, string>;
      parametersRef?: { group: string; kind: string; name: string };
    };
    listeners: {
      name: string;
      port: number;
      protocol: string;
      allowedRoutes?: { namespaces?: { from?: string } };
    }[];
  };
  status?: { addresses?: { type?: string; value?: string }[]; conditions?: ReportedCondition[] };
}

/** A reference to a Gateway in a route. */
export interface ParentReference {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  sectionName?: string;
  port?: number;
}

/** An HTTPRoute of the Gateway API: the fields that the operator writes, and the status that it reads. */
export interface HTTPRoute extends KubeObject {
  apiVersion: "gateway.networking.k8s.io/v1";
  kind: "HTTPRoute";
  spec: {
    parentRefs: ParentReference[];
    hostnames: string[];
    rules: {
      matches: { path: { type: "PathPrefix"; value: string } }[];
      backendRefs: { group: string; kind: string; name: string; port: number; weight: number }[];
      timeouts: { request: string };
    }[];
  };
  status?: { parents?: { parentRef: ParentReference; conditions?: ReportedCondition[] }[] };
}

/** One rule of an AuthorizationPolicy; a request must match all of its parts. */
export interface AuthorizationRule {
  from?: {
    source: { principals?: string[]; notPrincipals?: string[]; namespaces?: string[]; notNamespaces?: string[] };
  }[];
  to?: {
    operation: { ports?: string[]; notPorts?: string[]; methods?: string[]; paths?: string[]; notPaths?: string[] };
  }[];
}

/** Istio's AuthorizationPolicy. */
export interface AuthorizationPolicy extends KubeObject {
  apiVersion: "security.istio.io/v1";
  kind: "AuthorizationPolicy";
  spec: {
    selector?: { matchLabels: Record<string, string> };
    targetRefs?: { group?: string; kind: string; name: string }[];
    /** Deprecated form of targetRefs; the operator does not write it. */
    targetRef?: { group?: string; kind: string; name: string };
    action?: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
    rules?: AuthorizationRule[];
  };
  status?: { conditions?: ReportedCondition[] };
}

/** The operator never writes Namespaces; it only reads their opt-in as a workspace. */
export interface Namespace extends KubeObject {
  apiVersion: "v1";
  kind: "Namespace";
}

/** The operator never writes Pods; it only reads why they do not start. */
export interface Pod extends KubeObject {
  apiVersion: "v1";
  kind: "Pod";
  spec?: V1PodSpec;
  status?: V1PodStatus;
}

/** A kind that a builder returns and `commit` writes. */
export type Manifest =
  | ServiceAccount
  | Service
  | Secret
  | ConfigMap
  | PersistentVolumeClaim
  | Job
  | CronJob
  | Deployment
  | NetworkPolicy
  | PodDisruptionBudget
  | HorizontalPodAutoscaler
  | ClusterRoleBinding
  | RoleBinding
  | Gateway
  | AuthorizationPolicy
  | Ingress
  | HTTPRoute;

/** Other resources in the namespace of a server that can conflict with it. */
export type OtherResource = Service | AuthorizationPolicy;

/** A kind that has the operator's labels and is read from the cache: the kinds that it writes, and their pods. */
export type Owned = Manifest | Pod;
