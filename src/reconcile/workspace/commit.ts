import { isApiError } from "../../kube/errors.ts";
import type { Owned } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectText } from "../../kube/object.ts";
import type { Cause } from "../cause.ts";
import { difference, isOtherRole } from "../difference.ts";
import { writeConflictOf } from "../write-conflict.ts";
import type { WorkspaceStep } from "./steps.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";

/** An unmanaged object that has the name of a desired object. */
export interface WorkspaceConflict extends Cause {
  readonly manifest: WorkspaceObject;
}

/** Executes the steps concurrently, because they are independent. Returns the name conflicts; all other steps are done. */
export async function commit(
  cluster: WorkspaceCluster,
  steps: readonly WorkspaceStep[],
): Promise<readonly WorkspaceConflict[]> {
  const results = await Promise.allSettled(steps.map((step) => write(cluster, step)));
  const failed = results.find((result) => result.status === "rejected" && !isNamespaceTerminating(result.reason));
  if (failed?.status === "rejected") throw failed.reason;
  return results.flatMap((result) => (result.status === "fulfilled" ? (result.value ?? []) : []));
}

async function write(cluster: WorkspaceCluster, step: WorkspaceStep): Promise<WorkspaceConflict | undefined> {
  const conflict = step.do === "delete" ? undefined : conflictOf(step, cluster);
  if (conflict !== undefined && step.do !== "delete") return { manifest: step.manifest, ...conflict };
  switch (step.do) {
    case "delete":
      await cluster.delete(step.live);
      return undefined;
    case "patch":
      await cluster.patch(step.manifest, step.live);
      return undefined;
    case "create":
      return (await cluster.create(step.manifest)) === "created" ? undefined : reuseExisting(cluster, step.manifest);
  }
}

/** The cause if another client repeatedly changes or deletes the object, or undefined. */
function conflictOf(
  step: Exclude<WorkspaceStep, { do: "delete" }>,
  { repeatedConflict }: WorkspaceCluster,
): Cause | undefined {
  const conflict =
    step.do === "create"
      ? writeConflictOf(step, repeatedConflict)
      : writeConflictOf({ ...step, do: "apply" }, repeatedConflict);
  return conflict && { reason: conflict.reason, message: conflict.message };
}

/** Handles AlreadyExists for an object that is not in the cache: a managed object that lost its labels is patched, another one is a conflict. */
async function reuseExisting(
  cluster: WorkspaceCluster,
  manifest: WorkspaceObject,
): Promise<WorkspaceConflict | undefined> {
  const live = await cluster.read(manifest);
  if (live === undefined || (live.kind !== "RoleBinding" && live.kind !== "ConfigMap")) return undefined;
  if (isManaged(live) && isOtherRole(live, manifest)) {
    await cluster.delete(live);
    return undefined;
  }
  if (isManaged(live) || difference({ ...manifest, metadata: {} }, live) === undefined) {
    await cluster.patch(manifest, live);
    return undefined;
  }
  const message = `${objectText(live)} in namespace ${live.metadata.namespace} exists and is not managed by this operator, so it is not changed: delete it if it is not needed${live.kind === "ConfigMap" ? ", or set spec.workspaces.clientConfigMaps: false" : ""}`;
  return { manifest, reason: "NameConflict", message };
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
