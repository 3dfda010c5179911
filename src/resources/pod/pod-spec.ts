import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import type { Mounted } from "./mounted.ts";
import { podSecurityContext } from "./security.ts";

/**
 * What all our pods have in common: identity, security, scheduling. No Service environment variables: those of a
 * Service named `mlflow` would be `MLFLOW_PORT=tcp://…` and the like.
 */
export function podSpec({ server }: Inputs, container: V1Container, mounted: readonly Mounted[]): V1PodSpec {
  const { nodeSelector, tolerations, affinity, priorityClassName } = server.spec.pod ?? {};
  const pullSecrets = server.spec.image?.pullSecrets ?? [];
  return {
    serviceAccountName: objectNames.serviceAccount(server.metadata.name),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: podSecurityContext,
    containers: [{ ...container, volumeMounts: mounted.flatMap((each) => each.mounts) }],
    volumes: mounted.map((each) => each.volume),
    ...(pullSecrets.length > 0 && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations }),
    ...(affinity && { affinity }),
    ...(priorityClassName !== undefined && { priorityClassName }),
  };
}
