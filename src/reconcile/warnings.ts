import type { Job, Owned, Pod } from "../kube/manifests.ts";
import { isControlledBy } from "../kube/object.ts";
import { secondsSince } from "./problem.ts";

/** A Warning event about an object. */
export interface Warning {
  readonly reason: string;
  /** On one line, of bounded length. */
  readonly message: string;
  /** The time of the last occurrence, in RFC 3339. */
  readonly time: string;
}

/** Warning events about objects without progress, by uid. */
export type Warnings = ReadonlyMap<string, readonly Warning[]>;

/** Events and the current time, which with the status of pods show why they do not start. */
export interface Evidence {
  readonly warnings?: Warnings | undefined;
  readonly now: Date;
}

/** Seconds that a Job can be without a pod, and a pod without a container, before their events are read. */
const quietSeconds: Readonly<Record<"Job" | "Pod", number>> = { Job: 5, Pod: 10 };
/** Seconds after which events are read again, because they are not watched. */
const rereadSeconds = 15;

/** The objects whose events must be read: only events show why a Job has no pod, or why no container of a pod starts. */
export function silentObjects(owned: readonly Owned[], now: Date): readonly (Job | Pod)[] {
  return candidates(owned).filter(
    (object) => secondsSince(object.metadata.creationTimestamp, now) >= quietSeconds[object.kind],
  );
}

/** Seconds after which events must be read; undefined if no object is without progress. */
export function warningsAgainIn(owned: readonly Owned[], now: Date): number | undefined {
  const waits = candidates(owned).map(({ kind, metadata }) => {
    const left = quietSeconds[kind] - secondsSince(metadata.creationTimestamp, now);
    return left > 0 ? Math.min(left, quietSeconds[kind]) : rereadSeconds;
  });
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function candidates(owned: readonly Owned[]): (Job | Pod)[] {
  const pods = owned.filter((object) => object.kind === "Pod");
  return owned.filter((object): object is Job | Pod => {
    if (object.metadata.deletionTimestamp !== undefined) return false;
    if (object.kind === "Pod") return isCreating(object);
    return object.kind === "Job" && isUnfinished(object) && !pods.some((pod) => isControlledBy(pod, object));
  });
}

export function isUnfinished({ spec, status }: Job): boolean {
  const isOver = status?.conditions?.some(({ type, status: is }) => /^(Complete|Failed)$/.test(type) && is === "True");
  return isOver !== true && spec.suspend !== true;
}

/** Whether a pod has a node and none of its containers has started yet. */
export function isCreating({ status, spec }: Pod): boolean {
  if (status?.phase !== undefined && status.phase !== "Pending") return false;
  const hasNode = spec?.nodeName !== undefined || status?.conditions?.some(isScheduled) === true;
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return hasNode && containers.every(({ state }) => state?.running === undefined && state?.terminated === undefined);
}

function isScheduled({ type, status }: { type: string; status: string }): boolean {
  return type === "PodScheduled" && status === "True";
}
