import type { V1Container, V1PodSpec, V1Volume } from "@kubernetes/client-node";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import type { Mounted } from "./mounted-volume.ts";
import { podSecurityContext } from "./security.ts";

/** A container with what is mounted in it. */
export interface MountedContainer {
  readonly container: V1Container;
  readonly mounted: readonly Mounted[];
}

/** The containers of a pod. */
export interface Containers {
  /** They run one after the other, before the others start. */
  readonly before?: readonly MountedContainer[];
  readonly together: readonly MountedContainer[];
}

/**
 * What all our pods have in common: identity, security, scheduling. No Service environment variables: those of a
 * Service named `mlflow` would be `MLFLOW_PORT=tcp://…` and the like.
 */
export function podSpec({ server }: Inputs, { before = [], together }: Containers): V1PodSpec {
  const { nodeSelector, tolerations, affinity, priorityClassName } = server.spec.pod ?? {};
  const { image, authentication } = server.spec;
  const wanted = [...(image?.pullSecrets ?? []), ...(authentication.oauth2Proxy?.image?.pullSecrets ?? [])];
  const pullSecrets = [...new Set(wanted.map(({ name }) => name))];
  return {
    serviceAccountName: objectNames.serviceAccount(server.metadata.name),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: podSecurityContext,
    ...(before.length > 0 && { initContainers: before.map(withMounts) }),
    containers: together.map(withMounts),
    volumes: volumesOf([...together, ...before]),
    ...(pullSecrets.length > 0 && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations }),
    ...(affinity && { affinity }),
    ...(priorityClassName !== undefined && { priorityClassName }),
  };
}

function withMounts({ container, mounted }: MountedContainer): V1Container {
  const volumeMounts = mounted.flatMap((each) => each.mounts);
  return volumeMounts.length === 0 ? container : { ...container, volumeMounts };
}

/** Each volume once, though several containers mount it. */
function volumesOf(containers: readonly MountedContainer[]): V1Volume[] {
  const volumes = containers.flatMap(({ mounted }) =>
    mounted.map(({ volume }): [string, V1Volume] => [volume.name, volume]),
  );
  return [...new Map(volumes).values()];
}
