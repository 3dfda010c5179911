import type { Owned } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectNames } from "../model/names.ts";
import { needsOptIn } from "../model/workspaces.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";
import { ownershipOf } from "./ownership.ts";

/** Why no pods are started or changed although all else is applied; undefined if nothing is missing. */
type PodPrerequisite = (observed: ObservedState) => Cause | undefined;

/** In the order in which they are checked; the first cause is reported. Running pods stay. */
export const podPrerequisites: readonly PodPrerequisite[] = [missingOptIn, terminatingExposure];

/**
 * The cause while a Service for clients outside the cluster still exists, but pods without authentication are next: until its load balancer is
 * deleted, which can take minutes, it routes to all pods of the server.
 */
function terminatingExposure({ server, owned }: ObservedState): Cause | undefined {
  if (server.spec.authentication.none === undefined) return undefined;
  const name = objectNames.externalService(server.metadata.name);
  const isThere = (each: Owned) => each.kind === "Service" && each.metadata.name === name;
  if (!owned.some((each) => isThere(each) && ownershipOf(each, server) !== "unmanaged")) return undefined;
  return {
    reason: "Progressing",
    message: `Service/${name} is being deleted. Pods without authentication start when it no longer exists; if this takes more than some minutes, check the Events of the Service and the controller of load balancers`,
  };
}

/** The cause if a namespace has not opted in: MLflow's pods would exit, because they could not list their workspaces. */
function missingOptIn({ server, model }: ObservedState): Cause | undefined {
  if (!needsOptIn(server.spec) || model.workspaces.namespaces.length > 0) return undefined;
  const { workspaces } = server.spec;
  const place = server.metadata.namespace;
  if (workspaces === undefined) {
    return {
      reason: "WorkspaceOptInMissing",
      message: `Namespace ${place} is not labeled as its own workspace, which accessReview: SubjectAccessReview requires, because the server can then review the access of any user. No pods are started. An administrator of the namespace can label it: kubectl label namespace ${place} ${label.workspaceOf}=${place}`,
    };
  }
  const { matchLabels } = workspaces.selector ?? {};
  const chosen = matchLabels === undefined ? "" : " with the labels of spec.workspaces.selector";
  return {
    reason: "WorkspaceOptInMissing",
    message: `No namespace${chosen} is labeled as a workspace of servers in namespace ${place}, so no pods are started. An administrator of a namespace can label it: kubectl label namespace ${workspaces.default ?? "<name>"} ${label.workspaceOf}=${place}`,
  };
}
