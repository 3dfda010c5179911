import { isApiError } from "../../kube/errors.ts";
import type { Owned } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectText } from "../../kube/object.ts";
import type { Cause } from "../cause.ts";
import { difference, mustBeReplaced } from "../difference.ts";
import { type Adoption, concurrently, writeObject } from "../object-steps.ts";
import { writeConflictOf } from "../write-conflict.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";
import type { WorkspaceStep } from "./workspace-plan.ts";

/** An unmanaged object that has the name of a desired object. */
export interface WorkspaceConflict extends Cause {
  readonly manifest: WorkspaceObject;
}

/** Executes the steps concurrently, because they are independent. Returns the name conflicts; all other steps are done. */
export async function commit(
  cluster: WorkspaceCluster,
  steps: readonly WorkspaceStep[],
): Promise<readonly WorkspaceConflict[]> {
  const { conflicts, errors } = await concurrently(steps, (step) => write(cluster, step));
  const failed = errors.filter((error) => !isNamespaceTerminating(error));
  if (failed.length > 0) throw failed[0];
  return conflicts;
}

/** An object that another client repeatedly changes or deletes is not written. */
async function write(cluster: WorkspaceCluster, step: WorkspaceStep): Promise<WorkspaceConflict | undefined> {
  const conflict = writeConflictOf(step, cluster.repeatedConflict);
  if (conflict !== undefined && step.do !== "delete")
    return { manifest: step.manifest, reason: conflict.reason, message: conflict.message };
  return writeObject<WorkspaceObject, WorkspaceConflict>(cluster, step, adoption);
}

/** A managed object that lost its labels is repaired, another one is a conflict. */
function adoption(live: Owned, manifest: WorkspaceObject): Adoption<WorkspaceConflict> {
  if (isManaged(live) && mustBeReplaced(live, manifest)) return { step: { do: "delete", live } };
  if (isManaged(live) || difference({ ...manifest, metadata: {} }, live) === undefined)
    return { step: { do: "apply", manifest, live } };
  const message = `${objectText(live)} in namespace ${live.metadata.namespace} exists and is not managed by this operator, so it is not changed: delete it if it is not needed${live.kind === "ConfigMap" ? ", or set spec.workspaces.clientConfigMaps: false" : ""}`;
  return { conflict: { manifest, reason: "NameConflict", message } };
}

/** Whether an object has one of the operator's labels. Removed ones are restored. */
function isManaged({ metadata }: Owned): boolean {
  const labels = metadata.labels ?? {};
  return labels[label.managedBy] === manager || labels[label.serverNamespace] !== undefined;
}

/** Whether a request failed because the namespace is terminating or deleted, which the watch will report. */
function isNamespaceTerminating(error: unknown): boolean {
  return isApiError(error, 404) || (isApiError(error, 403) && error.detail.includes("because it is being terminated"));
}
