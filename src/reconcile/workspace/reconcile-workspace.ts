import type { MlflowServer } from "../../api/server.ts";
import type { KnownKind } from "../../api/unsupported-fields.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import { label } from "../../kube/names.ts";
import { type Key, keyText } from "../../kube/object.ts";
import type { Installation } from "../../resources/inputs.ts";
import { type GrantConflict, subjectKey } from "../../resources/workspace/grant.ts";
import { applyRejection } from "../apply-rejection.ts";
import type { Cause } from "../finding.ts";
import { otherOperator } from "../other-operator.ts";
import { type SpecProblem, specProblem } from "../spec-problem.ts";
import { reportAccesses } from "./access-status.ts";
import { commit, type WorkspaceObstacle } from "./commit.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";
import { type WorkspacePlan, workspacePlan } from "./workspace-plan.ts";

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

/** One pass over one namespace: read, decide, write, tell. Throws what shall be tried again. */
export async function reconcileWorkspace(
  cluster: WorkspaceCluster,
  name: string,
  installation: Pick<Installation, "gracePeriodSeconds">,
  now: Date,
): Promise<WorkspacePass> {
  const namespace = cluster.namespace(name);
  const accesses = cluster.accesses(name);
  const hosted = cluster.servers(namespace?.metadata.labels?.[label.workspaceOf] ?? "");
  const problems = await problemsOf(cluster, hosted, accesses);
  const plan = workspacePlan({
    namespace,
    problems,
    servers: hosted,
    accesses,
    granted: cluster.granted(name),
    isOverruled: cluster.isOverruled,
    now,
  });
  const { steps, servers, waits } = plan;
  const wrote = [...new Set(steps.map((step) => ownerOf(step.do === "create" ? step.manifest : step.live)))];
  try {
    const obstacles = await commit(cluster, steps);
    const hasServer = ({ spec: { serverRef } }: MlflowWorkspaceAccess) =>
      cluster.servers(serverRef.namespace).some(({ metadata }) => metadata.name === serverRef.name);
    const grace =
      namespace?.metadata.deletionTimestamp === undefined
        ? await reportAccesses(cluster, {
            ...{ namespace, servers, waits, accesses, obstacles, problems, hasServer, installation, now },
          })
        : undefined;
    const seconds =
      obstacles.length === 0 && isUnfinished(cluster, name, plan) ? 1 : againIn(accesses, obstacles, grace, now);
    const unread = hosted.flatMap((server): [string, Cause][] => {
      const problem = problems.get(server);
      return problem === undefined ? [] : [[textOf(server), problem.cause]];
    });
    return {
      state: new Map([...stateOf({ ...plan, obstacles }), ...unread]),
      wrote,
      ...(seconds !== undefined && { againInSeconds: seconds }),
    };
  } catch (error) {
    const cause = applyRejection(error);
    if (cause === undefined) throw error;
    return { state: new Map(servers.map((server) => [textOf(server), cause])), wrote, failure: error };
  }
}

/** What of servers and accesses must not be acted upon. In steady state it costs no call. */
async function problemsOf(
  cluster: WorkspaceCluster,
  servers: readonly MlflowServer[],
  accesses: readonly MlflowWorkspaceAccess[],
): Promise<Map<MlflowServer | MlflowWorkspaceAccess, SpecProblem>> {
  const problems = new Map<MlflowServer | MlflowWorkspaceAccess, SpecProblem>();
  const check = async (kind: KnownKind, object: MlflowServer | MlflowWorkspaceAccess) => {
    const problem = await specProblem(cluster, kind, object);
    if (problem !== undefined) problems.set(object, problem);
  };
  await Promise.all([
    ...servers.map(async (server) => {
      const other = otherOperator(cluster, server);
      if (other === undefined) await check("MlflowServer", server);
      else problems.set(server, { cause: other, isHidden: true });
    }),
    ...accesses.map((access) => check("MlflowWorkspaceAccess", access)),
  ]);
  return problems;
}

/** Something that is wanted is not there: a binding of another role had its name, and no watch tells of our own deletions. */
function isUnfinished(cluster: WorkspaceCluster, name: string, { wanted }: WorkspacePlan): boolean {
  const granted = cluster.granted(name);
  return wanted.some(({ kind, metadata }) => {
    const live = granted.find((each) => each.kind === kind && each.metadata.name === metadata.name);
    return live === undefined;
  });
}

interface Verdicts extends Omit<WorkspacePlan, "steps" | "wanted"> {
  readonly obstacles: readonly WorkspaceObstacle[];
}

function stateOf({ servers, waits, contradictions, obstacles }: Verdicts): WorkspaceState {
  const waiting = waits.map((server): [string, Cause] => [
    textOf(server),
    { reason: "Progressing", message: "Waiting until the server has its finalizer" },
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

function causeOf({ subject, role, older, olderRoles }: GrantConflict): Cause {
  return {
    reason: "ConflictingGrants",
    message: `${subjectKey(subject)} would get the role ${role}, but the older MlflowServer ${textOf(older)} grants it ${olderRoles.join(" and ")}. Permissions in a namespace apply to all its servers, so this grant is not applied: grant the same role, or narrow spec.workspaces.selector of one`,
  };
}

function textOf({ metadata }: { metadata: { namespace?: string; name: string } }): string {
  const key: Key = { namespace: metadata.namespace ?? "default", name: metadata.name };
  return keyText(key);
}

function againIn(
  accesses: readonly { spec: { expiresAt?: string | undefined } }[],
  obstacles: readonly unknown[],
  grace: number | undefined,
  now: Date,
): number | undefined {
  const ends = accesses
    .map(({ spec }) => (Date.parse(spec.expiresAt ?? "") - now.getTime()) / 1000)
    .filter((seconds) => seconds > 0);
  const times = [
    ...ends,
    ...(grace === undefined ? [] : [grace]),
    ...(obstacles.length > 0 ? [obstacleRetrySeconds] : []),
  ];
  return times.length === 0 ? undefined : Math.min(longestSeconds, ...times);
}
