import { choice } from "../api/choose.ts";
import { defaults } from "../api/defaults.ts";
import type { Autoscaling } from "../api/fields/autoscaling.ts";
import type { NetworkPolicySettings } from "../api/fields/network-policy.ts";
import type { ServiceSettings } from "../api/fields/service.ts";
import { secondsOf } from "../api/quantity.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { type Addresses, addressesIn, servingPort } from "./addresses.ts";
import { type ArtifactServerSettings, artifactServerOf } from "./artifact-server.ts";
import { hasExternalService, type Routes, routesOf } from "./exposure.ts";
import { type ContainerImage, mlflowImage } from "./images.ts";
import type { Credentials, Inputs, Installation, References, SessionKeys } from "./inputs.ts";
import { enrolmentAnnotation, enrolmentLabels, type MeshMode, type MeshStep } from "./mesh.ts";
import type { Owner } from "./metadata.ts";
import { type Monitoring, monitoringOf } from "./monitoring.ts";
import { type Names, namesOf } from "./names.ts";
import { type PodSettings, podSettings } from "./pod-settings.ts";
import { type ProcessSettings, processSettings } from "./process-settings.ts";
import { type ProxySettings, proxySettings } from "./proxy-settings.ts";
import { isHibernated, isReplicated, replicasOf } from "./replicas.ts";
import { isAuthorizedByKubernetes, selectorText, usesSubjectAccessReview, workspaceStoreUri } from "./workspaces.ts";

/** A server with every default applied once and every derived value named once, except what its capabilities answer. */
export interface ServerBase {
  readonly name: string;
  readonly namespace: string;
  /** What metadata of the server's objects depend on. */
  readonly owner: Owner;
  /** Whether generated Secrets and volumes are retained after the server. */
  readonly isRetained: boolean;
  readonly names: Names;
  readonly version: string;
  /** The number of pods: none while the server hibernates. */
  readonly replicas: number;
  /** Whether a server that does not hibernate can have several pods. */
  readonly isReplicated: boolean;
  /** The HorizontalPodAutoscaler; undefined without. */
  readonly autoscaling: Required<Autoscaling> | undefined;
  readonly hasDisruptionBudget: boolean;
  /** The pods for artifacts; undefined without. */
  readonly artifactServer: ArtifactServerSettings | undefined;
  /** Undefined without. */
  readonly garbageCollection: GarbageCollectionSettings | undefined;
  readonly image: ContainerImage;
  readonly pod: PodSettings;
  readonly process: ProcessSettings;
  readonly serviceAccountAnnotations: Readonly<Record<string, string>> | undefined;
  readonly addresses: Addresses;
  /** The port of the pods for clients. */
  readonly servingPort: number;
  /** The Secret with the certificate of that port; undefined for http. */
  readonly certificateSecret: string | undefined;
  /** oauth2-proxy in front of MLflow; undefined without. */
  readonly proxy: ProxySettings | undefined;
  readonly authorization: { readonly isByKubernetes: boolean; readonly usesSubjectAccessReview: boolean };
  /** The keys of sessions and encryption, and the Secret with them. */
  readonly session: { readonly secret: string; readonly isGenerated: boolean; readonly keys: SessionKeys };
  /** Undefined if the spec references a Secret or MLflow stores no users. */
  readonly generatedAdmin: Credentials | undefined;
  readonly network: NetworkSettings;
  /** Who gets metrics, and the ports; undefined without. */
  readonly monitoring: Monitoring | undefined;
  readonly service: InternalService;
  readonly routes: Routes;
  readonly mesh: MeshSettings;
  readonly workspaces: WorkspaceSettings;
  /** Whether the database of the backend store is migrated by the operator, only checked, or neither. */
  readonly migrationMode: "upgrade" | "check" | undefined;
  /** Differences from the backup that a restore accepts. */
  readonly acceptedDifferences: readonly string[];
  readonly references: References;
  /** What the model was resolved from, for hashes that detect a change of it. Builders do not read it. */
  readonly source: Inputs;
}

/** The CronJob that deletes what was deleted in MLflow. */
export interface GarbageCollectionSettings {
  readonly schedule: string;
  readonly ageSeconds: number;
  readonly isDryRun: boolean;
  /** As in the spec, and while the server hibernates. */
  readonly isSuspended: boolean;
}

/** The Service for clients in the cluster. */
export interface InternalService {
  readonly annotations: ServiceSettings["annotations"];
  /** Fields without a value are not in it. */
  readonly families: Pick<ServiceSettings, "ipFamilyPolicy" | "ipFamilies">;
}

/** The NetworkPolicy of the pods. */
export interface NetworkSettings {
  readonly isRestricted: boolean;
  /** The namespace of the operator, which probes the serving port; undefined if it runs outside the cluster. */
  readonly operatorNamespace: string | undefined;
  /** Clients that can connect; undefined for all. */
  readonly from: NetworkPolicySettings["from"];
  /** The ports of all egress; undefined if the spec does not restrict it. */
  readonly egressPorts: readonly number[] | undefined;
  /** Whether pods can get credentials from their cloud provider; undefined if it depends on the stores. */
  readonly allowsMetadataService: boolean | undefined;
}

/** The mesh of a server. */
export interface MeshSettings {
  /** Undefined without a mesh. */
  readonly mode: MeshMode | undefined;
  /** The steps that are enabled. */
  readonly steps: ReadonlySet<MeshStep>;
  /** Whether policies are not changed. */
  readonly keepsPolicies: boolean;
  /** What enrols pods, and the annotation of a pod that is enrolled. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotation: { readonly key: string; readonly value: string };
}

/** The workspaces of a server with authorization by Kubernetes. */
export interface WorkspaceSettings {
  /** Whether namespaces are workspaces; otherwise the server has its own namespace only. */
  readonly isEnabled: boolean;
  readonly default: string;
  readonly selector: string;
  readonly storeUri: string;
  /** The namespaces that have opted in. */
  readonly namespaces: readonly string[];
}

/** Returns the settings of a spec, with all defaults, and what follows from them. */
export function resolveBase(inputs: Inputs): ServerBase {
  const { server, installation, references } = inputs;
  const { metadata, spec } = server;
  const { name, namespace } = metadata;
  const names = namesOf(name, namespace);
  const addresses = addressesIn(server, installation);
  const { autoscaling, podDisruptionBudget = {} } = spec;
  return {
    name,
    namespace,
    owner: { metadata },
    isRetained: choice(spec.deletionPolicy ?? "Retain", "spec.deletionPolicy", { Retain: true, Delete: false }),
    names,
    version: spec.version,
    replicas: replicasOf(spec),
    isReplicated: isReplicated(spec),
    autoscaling: autoscaling && {
      minReplicas: autoscaling.minReplicas ?? defaults.minReplicas,
      maxReplicas: autoscaling.maxReplicas,
      targetCPUUtilization: autoscaling.targetCPUUtilization ?? defaults.targetCPUUtilization,
    },
    hasDisruptionBudget: isReplicated(spec) && podDisruptionBudget.enabled !== false,
    artifactServer: artifactServerOf(server),
    garbageCollection: garbageCollectionOf(spec),
    image: mlflowImage(spec, installation),
    pod: podSettings(server, installation),
    process: processSettings(inputs),
    serviceAccountAnnotations: spec.serviceAccount?.annotations,
    addresses,
    servingPort: servingPort(server),
    certificateSecret: spec.server?.tls?.certificateSecretRef.name,
    proxy: proxySettings(server, installation, addresses),
    authorization: {
      isByKubernetes: isAuthorizedByKubernetes(spec),
      usesSubjectAccessReview: usesSubjectAccessReview(spec),
    },
    session: {
      secret: spec.server?.sessionSecretRef?.name ?? names.session,
      isGenerated: spec.server?.sessionSecretRef === undefined,
      keys: inputs.session,
    },
    generatedAdmin: inputs.generatedAdmin,
    network: networkOf(spec, installation),
    monitoring: monitoringOf(spec),
    service: internalService(spec),
    routes: routesOf(server, inputs.routes),
    mesh: {
      mode: spec.mesh?.istio.mode,
      steps: inputs.mesh,
      keepsPolicies: inputs.keepsMeshPolicies === true,
      labels: enrolmentLabels(inputs.mesh),
      annotation: enrolmentAnnotation(inputs.mesh),
    },
    workspaces: workspacesOf(inputs),
    migrationMode: choice(spec.backendStore.migration ?? "Automatic", "spec.backendStore.migration", {
      Automatic: "upgrade",
      Manual: spec.backendStore.connectionCheck === false ? undefined : "check",
    } as const),
    acceptedDifferences: spec.restore?.accept ?? [],
    references,
    source: inputs,
  };
}

function internalService(spec: MlflowServerSpec): InternalService {
  const { annotations, ipFamilyPolicy, ipFamilies } = spec.service ?? {};
  return {
    annotations: hasExternalService(spec) ? undefined : annotations,
    families: { ...(ipFamilyPolicy && { ipFamilyPolicy }), ...(ipFamilies && { ipFamilies }) },
  };
}

function garbageCollectionOf(spec: MlflowServerSpec): GarbageCollectionSettings | undefined {
  const { garbageCollection: settings } = spec;
  return (
    settings && {
      schedule: settings.schedule,
      ageSeconds: secondsOf(settings.olderThan ?? defaults.garbageAge),
      isDryRun: settings.dryRun === true,
      isSuspended: settings.suspend === true || isHibernated(spec),
    }
  );
}

function networkOf({ networkPolicy = {} }: MlflowServerSpec, { operatorNamespace }: Installation): NetworkSettings {
  const { enabled, from, egress, metadataService } = networkPolicy;
  return {
    isRestricted: enabled !== false,
    operatorNamespace,
    from,
    egressPorts: egress && (egress.ports ?? []),
    allowsMetadataService: metadataService === undefined ? undefined : metadataService === "Allowed",
  };
}

function workspacesOf({ server, workspaces }: Inputs): WorkspaceSettings {
  return {
    isEnabled: server.spec.workspaces !== undefined,
    default: server.spec.workspaces?.default ?? "",
    selector: selectorText(server),
    storeUri: workspaceStoreUri(server),
    namespaces: workspaces,
  };
}
