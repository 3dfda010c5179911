import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { OwnKind } from "../../kube/kinds.ts";
import { label } from "../../kube/names.ts";
import { type Key, keyText } from "../../kube/object.ts";
import type { Installation } from "../../model/inputs.ts";
import { type GrantConflict, subjectKey } from "../../resources/workspace/grant.ts";
import type { Cause } from "../cause.ts";
import { applyRejection } from "../failure-cause.ts";
import { otherOperator } from "../other-operator.ts";
import { type SpecProblem, specProblem } from "../spec-problem.ts";
import { reportAccesses } from "./access-status.ts";
import { commit, type WorkspaceConflict } from "./commit.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";
import { type WorkspacePlan, workspacePlan } from "./workspace-plan.ts";

/** The state of a namespace for each server that has it as a workspace (as `keyText`): ready, or the cause why not. */
export type WorkspaceState = ReadonlyMap<string, Cause | "ready">;

export interface WorkspaceReconcileResult {
  readonly state: WorkspaceState;
  /** The servers of the objects that were written or deleted, as `keyText`. */
  readonly wrote: readonly string[];
  /** Seconds until the next reconciliation: a grant expires, or a conflicting object may have been deleted. */
  readonly againInSeconds?: number;
  /** The API server rejected a write, which is retried. */
  readonly failure?: unknown;
}

/** A conflicting object is not watched, because it does not have the operator's label. */
const conflictRetrySeconds = 30;
/** The longest wait for the expiry of a grant: timers are limited to about 24 days. */
const longestSeconds = 24 * 3600;

/** Reconciles one namespace: reads, decides, writes, reports. Throws errors that must be retried. */
export async function reconcileWorkspace(
  cluster: WorkspaceCluster,
  name: string,
  installation: Pick<Installation, "gracePeriodSeconds">,
  now: Date,
): Promise<WorkspaceReconcileResult> {
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
    isMutatedByAdmission: cluster.isMutatedByAdmission,
    now,
  });
  const { steps, servers, waits } = plan;
  const wrote = [...new Set(steps.map((step) => ownerOf(step.do === "create" ? step.manifest : step.live)))];
  try {
    const conflicts = await commit(cluster, steps);
    const hasServer = ({ spec: { serverRef } }: MlflowWorkspaceAccess) =>
      cluster.servers(serverRef.namespace).some(({ metadata }) => metadata.name === serverRef.name);
    const grace =
      namespace?.metadata.deletionTimestamp === undefined
        ? await reportAccesses(cluster, {
            ...{ namespace, servers, waits, accesses, conflicts, problems, hasServer, installation, now },
          })
        : undefined;
    const seconds =
      conflicts.length === 0 && isUnfinished(cluster, name, plan) ? 1 : againIn(accesses, conflicts, grace, now);
    const unread = hosted.flatMap((server): [string, Cause][] => {
      const problem = problems.get(server);
      return problem === undefined ? [] : [[textOf(server), problem.cause]];
    });
    return {
      state: new Map([...stateOf({ ...plan, conflicts }), ...unread]),
      wrote,
      ...(seconds !== undefined && { againInSeconds: seconds }),
    };
  } catch (error) {
    const cause = applyRejection(error);
    if (cause === undefined) throw error;
    return { state: new Map(servers.map((server) => [textOf(server), cause])), wrote, failure: error };
  }
}

/** The servers and accesses that must not be applied, and why. In steady state this makes no API calls. */
async function problemsOf(
  cluster: WorkspaceCluster,
  servers: readonly MlflowServer[],
  accesses: readonly MlflowWorkspaceAccess[],
): Promise<Map<MlflowServer | MlflowWorkspaceAccess, SpecProblem>> {
  const problems = new Map<MlflowServer | MlflowWorkspaceAccess, SpecProblem>();
  const check = async (kind: OwnKind, object: MlflowServer | MlflowWorkspaceAccess) => {
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

/** Whether a desired object does not exist: a binding of another role had its name and was deleted. */
function isUnfinished(cluster: WorkspaceCluster, name: string, { wanted }: WorkspacePlan): boolean {
  const granted = cluster.granted(name);
  return wanted.some(({ kind, metadata }) => {
    const live = granted.find((each) => each.kind === kind && each.metadata.name === metadata.name);
    return live === undefined;
  });
}

interface WorkspaceResults extends Omit<WorkspacePlan, "steps" | "wanted"> {
  readonly conflicts: readonly WorkspaceConflict[];
}

function stateOf({ servers, waits, grantConflicts, conflicts }: WorkspaceResults): WorkspaceState {
  const waiting = waits.map((server): [string, Cause] => [
    textOf(server),
    { reason: "Progressing", message: "Waiting until the server has its finalizer" },
  ]);
  const settled = servers.map((server): [string, Cause | "ready"] => {
    const conflict = conflicts.find(({ manifest }) => ownerOf(manifest) === textOf(server));
    const grantConflict = grantConflicts.find((each) => each.server === server);
    return [textOf(server), conflict ?? (grantConflict && causeOf(grantConflict)) ?? "ready"];
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

function textOf({ metadata: { namespace, name } }: { readonly metadata: Key }): string {
  return keyText({ namespace, name });
}

function againIn(
  accesses: readonly { spec: { expiresAt?: string | undefined } }[],
  conflicts: readonly unknown[],
  grace: number | undefined,
  now: Date,
): number | undefined {
  const ends = accesses
    .map(({ spec }) => (Date.parse(spec.expiresAt ?? "") - now.getTime()) / 1000)
    .filter((seconds) => seconds > 0);
  const times = [
    ...ends,
    ...(grace === undefined ? [] : [grace]),
    ...(conflicts.length > 0 ? [conflictRetrySeconds] : []),
  ];
  return times.length === 0 ? undefined : Math.min(longestSeconds, ...times);
}
