import type {
  V1Container,
  V1PodSecurityContext,
  V1PodSpec,
  V1SecurityContext,
  V1Volume,
} from "@kubernetes/client-node";
import type { Mounted } from "../../features/common/mounted-volume.ts";
import type { ServerModel } from "../../features/server-model.ts";

/** A container and its volumes. */
export interface MountedContainer {
  readonly container: V1Container;
  readonly mounted: readonly Mounted[];
}

/** The containers of a pod. */
export interface Containers {
  /** Init containers, in order. */
  readonly init?: readonly MountedContainer[];
  readonly main: readonly MountedContainer[];
}

/**
 * Returns the common parts of all pods: identity, security, scheduling, name resolution. Service environment variables are disabled: those of a
 * Service named `mlflow` would set `MLFLOW_PORT=tcp://…` and similar.
 */
export function podSpec({ names, pod }: ServerModel, { init = [], main }: Containers): V1PodSpec {
  return {
    serviceAccountName: names.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: pod.hasFixedIDs ? podSecurityContext : assignedSecurityContext,
    ...(init.length > 0 && { initContainers: init.map(withMounts) }),
    containers: main.map(withMounts),
    volumes: volumesOf([...main, ...init]),
    ...(pod.pullSecrets.length > 0 && { imagePullSecrets: pod.pullSecrets.map((name) => ({ name })) }),
    ...pod.scheduling,
    ...pod.nameResolution,
  };
}

function withMounts({ container, mounted }: MountedContainer): V1Container {
  const volumeMounts = mounted.flatMap((each) => each.mounts);
  return volumeMounts.length === 0 ? container : { ...container, volumeMounts };
}

/** Returns each volume once, even if several containers mount it. */
function volumesOf(containers: readonly MountedContainer[]): V1Volume[] {
  const volumes = containers.flatMap(({ mounted }) =>
    mounted.map(({ volume }): [string, V1Volume] => [volume.name, volume]),
  );
  return [...new Map(volumes).values()];
}

/** The user and group of the MLflow image; volumes are made writable for the group. */
const user = 1000;

/**
 * Pod Security Standard "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards), for a pod whose user and groups the platform
 * assigns: OpenShift's SecurityContextConstraint `restricted-v2` rejects those outside the range of the namespace.
 */
const assignedSecurityContext: V1PodSecurityContext = {
  runAsNonRoot: true,
  fsGroupChangePolicy: "OnRootMismatch",
  seccompProfile: { type: "RuntimeDefault" },
};

/** The same with the user of the image. */
export const podSecurityContext: V1PodSecurityContext = {
  ...assignedSecurityContext,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
};

/** The same for each container, with a read-only root file system. */
export const containerSecurityContext: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};
