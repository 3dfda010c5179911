import type { Job, Owned, Pod } from "../../kube/manifests.ts";
import { isControlledBy } from "../../kube/object.ts";
import { isFinished } from "../migration.ts";
import { isUnfinished } from "../server-workload.ts";

/** Returns how the program of a backup has ended; undefined while it runs. An injected container can keep the pod running. */
export function terminationOf(pod: Pod) {
  return pod.status?.containerStatuses?.find(({ name }) => name === "backup")?.state?.terminated;
}

/**
 * Returns the pods of backups whose program may run, and the Jobs that may create one, of the Jobs of backups and their pods. A pod terminates
 * later than its MlflowBackup and its Job are deleted.
 */
export function runningBackups(objects: readonly Owned[]): (Job | Pod)[] {
  const pods = objects.filter((object) => object.kind === "Pod");
  return objects.filter((object): object is Job | Pod => {
    if (object.kind === "Pod") return isUnfinished(object) && terminationOf(object) === undefined;
    if (object.kind !== "Job" || object.metadata.deletionTimestamp !== undefined) return false;
    const hasEnded = isFinished(object, "Complete") || isFinished(object, "Failed");
    return !hasEnded && !pods.some((pod) => isControlledBy(pod, object));
  });
}

/** Whether a Job, or the Job of a pod, has one of these names. */
export function isOfJob({ kind, metadata }: Job | Pod, names: ReadonlySet<string>): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return names.has(kind === "Job" ? metadata.name : (owner?.name ?? ""));
}
