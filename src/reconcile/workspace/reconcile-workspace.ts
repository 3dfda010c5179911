import type { MlflowServer } from "../../api/server.ts";
import { finalizer, label } from "../../kube/names.ts";
import { type Key, keyText } from "../../kube/object.ts";
import { clientConfigMap } from "../../resources/workspace/client-config-map.ts";
import { type Contradiction, grantsIn, subjectKey } from "../../resources/workspace/grant.ts";
import { roleBindings } from "../../resources/workspace/role-bindings.ts";
import { serversOf, type Workspace } from "../../resources/workspace/workspace.ts";
import type { Cause } from "../finding.ts";
import { refusal } from "../refusal.ts";
import { reportAccesses } from "./access-status.ts";
import { commit, type WorkspaceObstacle } from "./commit.ts";
import { stepsFor } from "./steps.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";

/** How a namespace stands to each server that has it as a workspace (as `keyText`): in order, or what is the matter. */
export type WorkspaceState = ReadonlyMap<string, Cause | "ready">;

export interface WorkspacePass {
  readonly state: WorkspaceState;
  /** The servers of what was written or deleted, as `keyText`. */
  readonly wrote: readonly string[];
  /** Seconds after which to look again: a grant ends, or somebody else's object may have gone. */
  readonly againInSeconds?: number;
  /** The API server refused something; it is tried again. */
  readonly failure?: unknown;
}

/** Somebody else's object has no label of ours, so no watch of ours tells when it goes. */
const obstacleRetrySeconds = 30;
/** The longest wait for the end of a grant: timers take no more than some weeks. */
const longestSeconds = 24 * 3600;

/**
 * One pass over one namespace: nothing is granted in it without its consent, and what was granted goes with that. Throws what
 * shall be tried again.
 */
export async function reconcileWorkspace(cluster: WorkspaceCluster, name: string, now: Date): Promise<WorkspacePass> {
  const namespace = cluster.namespace(name);
  const accesses = cluster.accesses(name);
  // The namespace takes all with it, and nothing can be created any more.
  if (namespace?.metadata.deletionTimestamp !== undefined) return { state: new Map(), wrote: [] };
  const host = namespace?.metadata.labels?.[label.workspaceOf];
  const claiming = namespace === undefined || host === undefined ? [] : serversOf(namespace, cluster.servers(host));
  // What cannot be released is not granted: the finalizer comes first.
  const servers = claiming.filter(isHeld);
  const workspace = namespace && { namespace, servers, accesses, now };
  const { contradictions } = workspace ? grantsIn(workspace) : { contradictions: [] };
  const wanted = workspace ? wantedIn(workspace) : [];
  const granted = cluster.granted(name);
  const waits = claiming.filter((server) => !isHeld(server) && !isGoing(server));
  const steps = stepsFor(wanted, granted, cluster.isOverruled);
  const wrote = [...new Set(steps.map((step) => ownerOf(step.do === "create" ? step.manifest : step.live)))];
  try {
    const obstacles = await commit(cluster, steps);
    await reportAccesses(cluster, { namespace, servers, waits, accesses, obstacles, now });
    const seconds = againIn(accesses, obstacles, now);
    return {
      state: stateOf({ servers, waits, contradictions, obstacles }),
      wrote,
      ...(seconds !== undefined && { againInSeconds: seconds }),
    };
  } catch (error) {
    const cause = refusal(error);
    if (cause === undefined) throw error;
    return { state: new Map(claiming.map((server) => [textOf(server), cause])), wrote, failure: error };
  }
}

/** All that shall be in a workspace. */
export function wantedIn(workspace: Workspace): WorkspaceObject[] {
  const bindings = roleBindings(workspace.namespace.metadata.name, grantsIn(workspace).inForce);
  return [...bindings, ...[clientConfigMap(workspace)].filter((each) => each !== undefined)];
}

function isHeld(server: MlflowServer): boolean {
  return !isGoing(server) && server.metadata.finalizers?.includes(finalizer) === true;
}

function isGoing({ metadata }: MlflowServer): boolean {
  return metadata.deletionTimestamp !== undefined;
}

interface Verdicts {
  readonly servers: readonly MlflowServer[];
  readonly waits: readonly MlflowServer[];
  readonly contradictions: readonly Contradiction[];
  readonly obstacles: readonly WorkspaceObstacle[];
}

function stateOf({ servers, waits, contradictions, obstacles }: Verdicts): WorkspaceState {
  const waiting = waits.map((server): [string, Cause] => [
    textOf(server),
    { reason: "Progressing", message: "the server is on its way" },
  ]);
  const settled = servers.map((server): [string, Cause | "ready"] => {
    const obstacle = obstacles.find(({ manifest }) => ownerOf(manifest) === textOf(server));
    const contradiction = contradictions.find((each) => each.server === server);
    return [textOf(server), obstacle ?? (contradiction && causeOf(contradiction)) ?? "ready"];
  });
  return new Map([...waiting, ...settled]);
}

/** The server that an object in a workspace is labelled with. */
function ownerOf({ metadata }: WorkspaceObject): string {
  const { [label.server]: server, [label.clientOf]: host, [label.serverNamespace]: namespace } = metadata.labels ?? {};
  return keyText({ namespace: namespace ?? "", name: server ?? host ?? "" });
}

function causeOf({ subject, role, older, olderRoles }: Contradiction): Cause {
  return {
    reason: "GrantsContradict",
    message: `${subjectKey(subject)} is to be ${role}, but ${textOf(older)}, which is older, makes it ${olderRoles.join(" and ")}, and rights in a namespace are the same for all its servers: grant the same role, or narrow spec.workspaces.selector of one`,
  };
}

function textOf({ metadata }: { metadata: { namespace?: string; name: string } }): string {
  const key: Key = { namespace: metadata.namespace ?? "default", name: metadata.name };
  return keyText(key);
}

function againIn(
  accesses: readonly { spec: { expiresAt?: string | undefined } }[],
  obstacles: readonly unknown[],
  now: Date,
): number | undefined {
  const ends = accesses
    .map(({ spec }) => (Date.parse(spec.expiresAt ?? "") - now.getTime()) / 1000)
    .filter((seconds) => seconds > 0);
  const times = [...ends, ...(obstacles.length > 0 ? [obstacleRetrySeconds] : [])];
  return times.length === 0 ? undefined : Math.min(longestSeconds, ...times);
}
