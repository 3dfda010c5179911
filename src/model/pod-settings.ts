import type { V1ResourceRequirements, V1TopologySpreadConstraint } from "@kubernetes/client-node";
import { defaults } from "../api/defaults.ts";
import { secondsOf } from "../api/quantity.ts";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { computeResources, defaultRequests, setupResources, withMemoryLimit } from "./compute-resources.ts";
import type { Installation } from "./inputs.ts";
import { type Component, podSelector } from "./metadata.ts";

type Pod = NonNullable<MlflowServerSpec["pod"]>;

/** The settings of a server's pods, with defaults. */
export interface PodSettings {
  /** Whether pods run as the user and group of the image. Otherwise the platform assigns both. */
  readonly hasFixedIDs: boolean;
  /** Labels and annotations of the spec, as there. */
  readonly labels: Record<string, string> | undefined;
  readonly annotations: Record<string, string> | undefined;
  /** Where pods run, as in the spec: fields without a value are not in the pod. */
  readonly scheduling: Pick<
    Pod,
    "nodeSelector" | "tolerations" | "affinity" | "priorityClassName" | "schedulerName" | "runtimeClassName"
  >;
  /** Seconds in which MLflow must start. */
  readonly startupSeconds: number;
  /** How pods resolve names, likewise. */
  readonly nameResolution: Pick<Pod, "hostAliases" | "dnsConfig">;
  /** By default pods are spread over nodes. */
  readonly topologySpreadConstraints: V1TopologySpreadConstraint[];
  /** Names of the Secrets for image pulls, of MLflow and of oauth2-proxy. */
  readonly pullSecrets: readonly string[];
  readonly resources: {
    readonly mlflow: V1ResourceRequirements;
    readonly traces: V1ResourceRequirements;
    /** Containers that run to completion: those that copy programs or wait for a dependency, the check of the bucket, the migration. */
    readonly setup: V1ResourceRequirements;
    readonly artifactCheck: V1ResourceRequirements;
    readonly migration: V1ResourceRequirements;
  };
}

/** Returns the settings of the pods of a server. */
export function podSettings(server: MlflowServer, { userIDs }: Pick<Installation, "userIDs">): PodSettings {
  const { pod = {}, image, authentication, server: process } = server.spec;
  const { nodeSelector, tolerations, affinity, priorityClassName, schedulerName, runtimeClassName } = pod;
  const { hostAliases, dnsConfig } = pod;
  const pullSecrets = [...(image?.pullSecrets ?? []), ...(authentication.oauth2Proxy?.image?.pullSecrets ?? [])];
  const requests = defaultRequests(process);
  return {
    hasFixedIDs: userIDs !== "namespace",
    labels: pod.labels,
    annotations: pod.annotations,
    scheduling: {
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
      ...(affinity && { affinity }),
      ...(priorityClassName !== undefined && { priorityClassName }),
      ...(schedulerName !== undefined && { schedulerName }),
      ...(runtimeClassName !== undefined && { runtimeClassName }),
    },
    startupSeconds: secondsOf(pod.startupTimeout ?? defaults.startupTimeout),
    nameResolution: {
      ...(hostAliases && { hostAliases }),
      ...(dnsConfig && { dnsConfig }),
    },
    topologySpreadConstraints: spreadOf(server),
    pullSecrets: [...new Set(pullSecrets.map(({ name }) => name))],
    resources: {
      mlflow: computeResources(requests, withMemoryLimit(requests, pod.resources)),
      traces: computeResources(defaults.requests, withMemoryLimit(defaults.requests, pod.resources)),
      setup: setupResources({ server }, { cpu: "10m", memory: "32Mi" }),
      artifactCheck: setupResources({ server }, { cpu: "100m", memory: "256Mi" }),
      migration: setupResources({ server }, { cpu: "100m", memory: "384Mi" }),
    },
  };
}

/** Returns how the pods of a component are spread, by default over nodes. */
export function spreadOf(
  server: Pick<MlflowServer, "metadata" | "spec">,
  component?: Component,
): V1TopologySpreadConstraint[] {
  const selector = { matchLabels: podSelector(server, component) };
  const constraints = server.spec.pod?.topologySpreadConstraints ?? [
    { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" as const },
  ];
  return constraints.map((constraint) => ({ labelSelector: selector, ...constraint }));
}
