import type { Job, Owned, Pod } from "../kube/manifests.ts";
import { isControlledBy } from "../kube/object.ts";
import { secondsSince } from "./problem.ts";

/** A Warning event about an object. */
export interface Warning {
  readonly reason: string;
  /** On one line, of bounded length. */
  readonly message: string;
  /** When it was last seen; RFC 3339. */
  readonly time: string;
}

/** What events say of objects that get no further, by uid. */
export type Warnings = ReadonlyMap<string, readonly Warning[]>;

/** What tells why pods do not start, besides their own status. */
export interface Evidence {
  readonly warnings?: Warnings | undefined;
  readonly now: Date;
}

/** Seconds that a Job may be without a pod, and a pod without a container, before their events are read. */
const patience: Readonly<Record<"Job" | "Pod", number>> = { Job: 5, Pod: 10 };
/** Seconds after which events are read again: no watch tells of them. */
const readAgain = 15;

/** The objects whose events must be read: nothing else says why a Job has no pod, or why a pod gets no container. */
export function silentObjects(owned: readonly Owned[], now: Date): readonly (Job | Pod)[] {
  return candidates(owned).filter(
    (object) => secondsSince(object.metadata.creationTimestamp, now) >= patience[object.kind],
  );
}

/** Seconds after which a pass must look for events; undefined where nothing is silent. */
export function warningsAgainIn(owned: readonly Owned[], now: Date): number | undefined {
  const waits = candidates(owned).map(({ kind, metadata }) => {
    const left = patience[kind] - secondsSince(metadata.creationTimestamp, now);
    return left > 0 ? Math.min(left, patience[kind]) : readAgain;
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

/** Whether a pod has a node, and no container of it has started yet. */
export function isCreating({ status, spec }: Pod): boolean {
  if (status?.phase !== undefined && status.phase !== "Pending") return false;
  const hasNode = spec?.nodeName !== undefined || status?.conditions?.some(isScheduled) === true;
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return hasNode && containers.every(({ state }) => state?.running === undefined && state?.terminated === undefined);
}

function isScheduled({ type, status }: { type: string; status: string }): boolean {
  return type === "PodScheduled" && status === "True";
}
