import type { Deployment } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";

/**
 * The upgrade of the operator that last changed the pods of a server, as an annotation of its Deployment. It is removed when a user changes
 * what the pods depend on.
 */
export interface UpgradeMarker {
  /** Of the operator that made the change. */
  readonly revision: string;
  /** Started: the database may be migrated, and the Deployment is as before. Applied: the Deployment has the new pod template. */
  readonly phase: "Started" | "Applied";
  readonly startTime: string;
  /** Whether all pods were ready before the change. If not, pods that are not ready afterwards do not stop the upgrade. */
  readonly wasReady: boolean;
}

export function markerText({ revision, phase, startTime, wasReady }: UpgradeMarker): string {
  return [revision, phase, startTime, wasReady ? "Ready" : "NotReady"].join(" ");
}

/** Undefined if there is none that this version of the operator can read. */
export function markerIn({ metadata }: Pick<Deployment, "metadata">): UpgradeMarker | undefined {
  const [revision, phase, startTime, readiness, ...more] = metadata.annotations?.[annotation.upgrade]?.split(" ") ?? [];
  if (!revision || !startTime || more.length > 0 || Number.isNaN(Date.parse(startTime))) return undefined;
  if (phase !== "Started" && phase !== "Applied") return undefined;
  if (readiness !== "Ready" && readiness !== "NotReady") return undefined;
  return { revision, phase, startTime, wasReady: readiness === "Ready" };
}
