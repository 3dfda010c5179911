import { isApiError } from "../../kube/api-error.ts";
import type { Owned } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectText } from "../../kube/object.ts";
import { difference } from "../difference.ts";
import type { Cause } from "../finding.ts";
import { isOtherRole } from "../other-role.ts";
import { contestOf } from "../write-conflict.ts";
import type { WorkspaceStep } from "./steps.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";

/** Somebody else's object that has a name which is wanted. */
export interface WorkspaceObstacle extends Cause {
  readonly manifest: WorkspaceObject;
}

/** Carries out the steps, all at once: none rests on another. Returns what stood in the way; the rest is written. */
export async function commit(
  cluster: WorkspaceCluster,
  steps: readonly WorkspaceStep[],
): Promise<readonly WorkspaceObstacle[]> {
  const results = await Promise.allSettled(steps.map((step) => write(cluster, step)));
  const failed = results.find((result) => result.status === "rejected" && !isOfEnding(result.reason));
  if (failed?.status === "rejected") throw failed.reason;
  return results.flatMap((result) => (result.status === "fulfilled" ? (result.value ?? []) : []));
}

async function write(cluster: WorkspaceCluster, step: WorkspaceStep): Promise<WorkspaceObstacle | undefined> {
  const conflict = step.do === "delete" ? undefined : conflictOf(step, cluster);
  if (conflict !== undefined && step.do !== "delete") return { manifest: step.manifest, ...conflict };
  switch (step.do) {
    case "delete":
      await cluster.delete(step.live);
      return undefined;
    case "mend":
      await cluster.mend(step.manifest, step.live);
      return undefined;
    case "create":
      return (await cluster.create(step.manifest)) === "created" ? undefined : takeUp(cluster, step.manifest);
  }
}

/** Another client changes or deletes the object again and again. */
function conflictOf(step: Exclude<WorkspaceStep, { do: "delete" }>, { contest }: WorkspaceCluster): Cause | undefined {
  const conflict = step.do === "create" ? contestOf(step, contest) : contestOf({ ...step, do: "apply" }, contest);
  return conflict && { reason: conflict.reason, message: conflict.message };
}

/** The name is taken, though the cache did not show it: by one of ours that lost its labels, or by somebody else's. */
async function takeUp(cluster: WorkspaceCluster, manifest: WorkspaceObject): Promise<WorkspaceObstacle | undefined> {
  const live = await cluster.read(manifest);
  if (live === undefined || (live.kind !== "RoleBinding" && live.kind !== "ConfigMap")) return undefined;
  if (isMarked(live) && isOtherRole(live, manifest)) {
    await cluster.delete(live);
    return undefined;
  }
  if (isMarked(live) || difference({ ...manifest, metadata: {} }, live) === undefined) {
    await cluster.mend(manifest, live);
    return undefined;
  }
  const message = `${objectText(live)} in namespace ${live.metadata.namespace} exists and is not managed by this operator, so it is not changed: delete it if it is not needed${live.kind === "ConfigMap" ? ", or set spec.workspaces.clientConfigMaps: false" : ""}`;
  return { manifest, reason: "NameConflict", message };
}

/** One label of ours is enough: the others may have been lost, and are then restored. */
function isMarked({ metadata }: Owned): boolean {
  const labels = metadata.labels ?? {};
  return labels[label.managedBy] === manager || labels[label.serverNamespace] !== undefined;
}

/** The namespace is going or gone, which its watch is about to tell. */
function isOfEnding(error: unknown): boolean {
  return isApiError(error, 404) || (isApiError(error, 403) && error.detail.includes("because it is being terminated"));
}
