import type { ServerModel } from "../features/server-model.ts";
import type { PodDisruptionBudget } from "../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../model/metadata.ts";

/** At most one pod is missing at a time when nodes are drained; one that is not ready never keeps its node from being drained. */
export const oneAtATime = { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" };

/** Returns the PodDisruptionBudget of a server; undefined for one replica, which it would not keep running. */
export function podDisruptionBudget({
  owner,
  names,
  hasDisruptionBudget,
}: ServerModel): PodDisruptionBudget | undefined {
  if (!hasDisruptionBudget) return undefined;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: ownedMetadata(owner, names.podDisruptionBudget),
    spec: { ...oneAtATime, selector: { matchLabels: podSelector(owner) } },
  };
}
