import type { PodDisruptionBudget } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata, podSelector } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";

/** At most one pod is missing at a time when nodes are drained; one that is not ready never keeps its node from being drained. */
export const oneAtATime = { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" };

/** Returns the PodDisruptionBudget of a server; undefined for one replica, which it would make impossible to evict. */
export function podDisruptionBudget({ server }: Inputs): PodDisruptionBudget | undefined {
  const { replicas, podDisruptionBudget: { enabled = true } = {} } = server.spec;
  if (!enabled || replicas < 2) return undefined;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: ownedMetadata(server, objectNames.podDisruptionBudget(server.metadata.name)),
    spec: { ...oneAtATime, selector: { matchLabels: podSelector(server) } },
  };
}
