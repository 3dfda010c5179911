/** The built-in kinds that we write or read, typed by @kubernetes/client-node, with metadata that is always there. */
import type {
  V1ConfigMap,
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

export interface Deployment extends KubeObject {
  apiVersion: "apps/v1";
  kind: "Deployment";
  spec: V1DeploymentSpec;
  status?: V1DeploymentStatus;
}

/** As it is in JSON: the client's own type has `_from`, since `from` is a word of some languages. */
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

/** In a workspace: who may do what there, in MLflow. */
export interface RoleBinding extends KubeObject {
  apiVersion: "rbac.authorization.k8s.io/v1";
  kind: "RoleBinding";
  roleRef: RoleRef;
  subjects?: Subject[];
}

/** A condition as controllers of other projects write it: any field may be missing. */
export interface ReportedCondition {
  type?: string;
  status?: string;
  reason?: string;
  message?: string;
  /** Istio's definition allows the text of a number, too. */
  observedGeneration?: number | string;
}

/** A Gateway of the Gateway API: what we write of it, and what says how far it is. */
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

/** A Gateway as routes name it. */
export interface ParentReference {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  sectionName?: string;
  port?: number;
}

/** An HTTPRoute of the Gateway API: what we write of it, and what the controllers of its Gateways say. */
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

/** One rule of an AuthorizationPolicy; a request must match all that it says. */
export interface AuthorizationRule {
  from?: { source: { principals?: string[]; notPrincipals?: string[] } }[];
  to?: { operation: { ports?: string[]; methods?: string[]; paths?: string[]; notPaths?: string[] } }[];
}

/** Istio's AuthorizationPolicy. */
export interface AuthorizationPolicy extends KubeObject {
  apiVersion: "security.istio.io/v1";
  kind: "AuthorizationPolicy";
  spec: {
    selector?: { matchLabels: Record<string, string> };
    targetRefs?: { group?: string; kind: string; name: string }[];
    /** The former way to say it; never ours. */
    targetRef?: { group?: string; kind: string; name: string };
    action?: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
    rules?: AuthorizationRule[];
  };
  status?: { conditions?: ReportedCondition[] };
}

/** Namespaces are never written by us, only read for their consent to be a workspace. */
export interface Namespace extends KubeObject {
  apiVersion: "v1";
  kind: "Namespace";
}

/** Pods are never written by us, only read for the reason why something does not start. */
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
  | Deployment
  | NetworkPolicy
  | PodDisruptionBudget
  | ClusterRoleBinding
  | RoleBinding
  | Gateway
  | AuthorizationPolicy
  | Ingress
  | HTTPRoute;

/** What there is in the namespace of a server, and may stand in its way there. */
export type OtherResource = Service | AuthorizationPolicy;

/** A kind that carries our labels and is read from the cache: what we write, and the pods that come of it. */
export type Owned = Manifest | Pod;
