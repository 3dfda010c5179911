import { defaults } from "../api/defaults.ts";
import type { MlflowServerSpec } from "../api/spec.ts";

type Scaled = Pick<MlflowServerSpec, "replicas" | "hibernate" | "autoscaling">;

/** Whether the spec stops all pods. */
export function isHibernated({ hibernate, replicas }: Scaled): boolean {
  return hibernate === true || replicas === 0;
}

/**
 * Returns the number of pods. With autoscaling `spec.replicas` is what the HorizontalPodAutoscaler has written last. Another client
 * can have replaced it, and on creation it is the default: the number is within the limits immediately, as the autoscaler would correct it.
 */
export function replicasOf(spec: Scaled): number {
  if (isHibernated(spec)) return 0;
  if (spec.autoscaling === undefined) return spec.replicas;
  const { minReplicas = defaults.minReplicas, maxReplicas } = spec.autoscaling;
  return Math.min(Math.max(spec.replicas, minReplicas), maxReplicas);
}

/** Whether a server that does not hibernate can have several pods. With autoscaling this does not follow the load. */
export function isReplicated({ replicas, autoscaling }: Scaled): boolean {
  return (autoscaling?.maxReplicas ?? replicas) > 1;
}
