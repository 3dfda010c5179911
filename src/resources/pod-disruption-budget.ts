import type { ServerModel } from "../features/server-model.ts";
import type { PodDisruptionBudget } from "../kube/manifests.ts";
import { type Component, type Owner, ownedMetadata, podSelector } from "../model/metadata.ts";

/** At most one pod is missing at a time when nodes are drained; one that is not ready never keeps its node from being drained. */
export const oneAtATime = { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" };

/** Returns the PodDisruptionBudget of a server; undefined for one replica, which it would not keep running. */
export function podDisruptionBudget({
  owner,
  names,
  hasDisruptionBudget,
}: ServerModel): PodDisruptionBudget | undefined {
  return hasDisruptionBudget ? budgetOf(owner, names.podDisruptionBudget) : undefined;
}

/** Returns that of the pods for artifacts; undefined without them, and for one replica. */
export function artifactBudget({ owner, names, artifactServer }: ServerModel): PodDisruptionBudget | undefined {
  return artifactServer?.hasDisruptionBudget ? budgetOf(owner, names.artifactServer, "artifacts") : undefined;
}

function budgetOf(owner: Owner, name: string, component?: Component): PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: ownedMetadata(owner, name, component),
    spec: { ...oneAtATime, selector: { matchLabels: podSelector(owner, component) } },
  };
}
