import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { finalizer, label } from "../../kube/names.ts";
import { clientConfigMap } from "../../resources/workspace/client-config-map.ts";
import { type GrantConflict, grantsIn } from "../../resources/workspace/grant.ts";
import { roleBindings } from "../../resources/workspace/role-bindings.ts";
import { serversOf, type Workspace } from "../../resources/workspace/workspace.ts";
import type { SpecProblem } from "../spec-problem.ts";
import { stepsFor, type WorkspaceStep } from "./steps.ts";
import { supportedIn } from "./supported.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";

/** All that a pass over a namespace knows. */
export interface WorkspaceFacts {
  /** Undefined where there is none, or it does not say whose workspace it is. */
  readonly namespace: Namespace | undefined;
  /** The servers of the namespace that it names. */
  readonly servers: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly granted: readonly WorkspaceObject[];
  readonly isOverruled: WorkspaceCluster["isOverruled"];
  /** Servers and accesses of which nothing may be built, and why. */
  readonly problems?: ReadonlyMap<MlflowServer | MlflowWorkspaceAccess, SpecProblem>;
  readonly now: Date;
}

export interface WorkspacePlan {
  readonly steps: readonly WorkspaceStep[];
  readonly wanted: readonly WorkspaceObject[];
  /** The servers that have the namespace as a workspace and grant in it, the oldest first. */
  readonly servers: readonly MlflowServer[];
  /** Those that have it, but cannot grant yet. */
  readonly waits: readonly MlflowServer[];
  readonly contradictions: readonly GrantConflict[];
}

/** What has to be written into a namespace: nothing without its consent, and what was granted goes with that. */
export function workspacePlan(facts: WorkspaceFacts): WorkspacePlan {
  const { namespace, isOverruled, now } = facts;
  const nothing = { wanted: [], servers: [], waits: [], contradictions: [] };
  // The namespace takes all with it, and nothing can be created any more.
  if (namespace?.metadata.deletionTimestamp !== undefined) return { steps: [], ...nothing };
  if (namespace === undefined) return { steps: stepsFor([], facts.granted, isOverruled), ...nothing };
  const supported = supportedIn(facts);
  const { accesses, granted } = supported;
  const host = namespace.metadata.labels?.[label.workspaceOf];
  const claiming = serversOf(
    namespace,
    supported.servers.filter(({ metadata }) => metadata.namespace === host && metadata.deletionTimestamp === undefined),
  );
  // What cannot be released is not granted: the finalizer comes first.
  const servers = claiming.filter(hasFinalizer);
  const workspace = { namespace, servers, accesses, now };
  const { inForce, contradictions } = grantsIn(workspace);
  const wanted = wantedIn(workspace, inForce);
  const waits = claiming.filter((server) => !hasFinalizer(server));
  return { steps: stepsFor(wanted, granted, isOverruled), wanted, servers, waits, contradictions };
}

/** All that shall be in a workspace. */
export function wantedIn(workspace: Workspace, inForce = grantsIn(workspace).inForce): WorkspaceObject[] {
  const bindings = roleBindings(workspace.namespace.metadata.name, inForce);
  return [...bindings, ...[clientConfigMap(workspace)].filter((each) => each !== undefined)];
}

function hasFinalizer({ metadata }: MlflowServer): boolean {
  return metadata.finalizers?.includes(finalizer) === true;
}
