import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { finalizer, label } from "../../kube/names.ts";
import { clientConfigMap } from "../../resources/workspace/client-config-map.ts";
import { type GrantConflict, grantsIn } from "../../resources/workspace/grant.ts";
import { roleBindings } from "../../resources/workspace/role-bindings.ts";
import { serversOf, type Workspace } from "../../resources/workspace/workspace.ts";
import { deletionsOf, type LiveObjects, type ObjectStep, stepsFor } from "../object-steps.ts";
import type { Ownership } from "../ownership.ts";
import type { SpecProblem } from "../spec-problem.ts";
import { supportedIn } from "./supported.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";

/** The observed state of a workspace reconciliation. */
export interface ObservedWorkspace {
  /** Undefined if it does not exist or is not labeled as a workspace. */
  readonly namespace: Namespace | undefined;
  /** The servers in the namespace of its label. */
  readonly servers: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly granted: readonly WorkspaceObject[];
  readonly isMutatedByAdmission: WorkspaceCluster["isMutatedByAdmission"];
  /** Servers and accesses that must not be applied, and why. */
  readonly problems?: ReadonlyMap<MlflowServer | MlflowWorkspaceAccess, SpecProblem>;
  readonly now: Date;
}

/** One write in a workspace. */
export type WorkspaceStep = ObjectStep<WorkspaceObject, WorkspaceObject>;

export interface WorkspacePlan {
  readonly steps: readonly WorkspaceStep[];
  readonly wanted: readonly WorkspaceObject[];
  /** The servers that have the namespace as a workspace and a finalizer, the oldest first. */
  readonly servers: readonly MlflowServer[];
  /** Those without a finalizer yet, which cannot grant. */
  readonly waits: readonly MlflowServer[];
  readonly grantConflicts: readonly GrantConflict[];
}

/** The writes in a namespace: grants only while it is labeled as a workspace; otherwise they are removed. */
export function workspacePlan(observed: ObservedWorkspace): WorkspacePlan {
  const { namespace, now } = observed;
  const nothing = { wanted: [], servers: [], waits: [], grantConflicts: [] };
  // A terminating namespace deletes all its objects, and nothing can be created in it.
  if (namespace?.metadata.deletionTimestamp !== undefined) return { steps: [], ...nothing };
  if (namespace === undefined) return { steps: allSteps([], observed.granted, observed), ...nothing };
  const supported = supportedIn(observed);
  const { accesses, granted } = supported;
  const host = namespace.metadata.labels?.[label.workspaceOf];
  const selecting = serversOf(
    namespace,
    supported.servers.filter(({ metadata }) => metadata.namespace === host && metadata.deletionTimestamp === undefined),
  );
  // Grants need the finalizer first, so that they can be removed.
  const servers = selecting.filter(hasFinalizer);
  const workspace = { namespace, servers, accesses, now };
  const { inForce, grantConflicts } = grantsIn(workspace);
  const wanted = wantedIn(workspace, inForce);
  const waits = selecting.filter((server) => !hasFinalizer(server));
  return { steps: allSteps(wanted, granted, observed), wanted, servers, waits, grantConflicts };
}

/** The writes after which a workspace has exactly the desired objects of the operator. */
function allSteps(
  wanted: readonly WorkspaceObject[],
  live: readonly WorkspaceObject[],
  { isMutatedByAdmission }: ObservedWorkspace,
): WorkspaceStep[] {
  const objects: LiveObjects<WorkspaceObject> = { live, ownershipOf, isMutatedByAdmission };
  return [...deletionsOf(wanted, objects), ...wanted.flatMap((manifest) => stepsFor(manifest, objects))];
}

/** The cache has only objects in workspaces that the operator manages. */
function ownershipOf({ metadata }: WorkspaceObject): Ownership {
  return metadata.deletionTimestamp === undefined ? "owned" : "terminating";
}

/** The desired objects of a workspace. */
export function wantedIn(workspace: Workspace, inForce = grantsIn(workspace).inForce): WorkspaceObject[] {
  const bindings = roleBindings(workspace.namespace.metadata.name, inForce);
  return [...bindings, ...[clientConfigMap(workspace)].filter((each) => each !== undefined)];
}

function hasFinalizer({ metadata }: MlflowServer): boolean {
  return metadata.finalizers?.includes(finalizer) === true;
}
