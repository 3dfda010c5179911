import { label } from "../kube/names.ts";
import { needsOptIn } from "../model/workspaces.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

/** Why no pods are started or changed although all else is applied; undefined if nothing is missing. */
type PodPrerequisite = (observed: ObservedState) => Cause | undefined;

/** In the order in which they are checked; the first cause is reported. Running pods stay. */
export const podPrerequisites: readonly PodPrerequisite[] = [missingOptIn];

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
