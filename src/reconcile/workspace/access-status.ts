import { isDeepStrictEqual } from "node:util";
import type { Reason } from "../../api/reasons.ts";
import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess, MlflowWorkspaceAccessStatus } from "../../api/workspace-access.ts";
import { conditionsOf, type NewCondition, notReconciling, notStalled, timestamp } from "../../kube/conditions.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import type { Installation } from "../../model/inputs.ts";
import { isExpired, isServerOf } from "../../resources/workspace/grant.ts";
import { nameOf } from "../../resources/workspace/role-bindings.ts";
import { graceLeft, observedSince } from "../grace-period.ts";
import { accessEvents } from "../lifecycle-events.ts";
import type { SpecProblem } from "../spec-problem.ts";
import type { WorkspaceConflict } from "./commit.ts";
import type { WorkspaceCluster } from "./workspace-cluster.ts";

interface AccessView {
  readonly namespace: Namespace | undefined;
  readonly servers: readonly MlflowServer[];
  /** Servers that have the namespace as a workspace, but no finalizer yet. */
  readonly waits: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly conflicts: readonly WorkspaceConflict[];
  readonly problems: ReadonlyMap<MlflowServer | MlflowWorkspaceAccess, SpecProblem>;
  /** Whether the server that an access names exists. */
  readonly hasServer: (access: MlflowWorkspaceAccess) => boolean;
  readonly installation: Pick<Installation, "gracePeriodSeconds">;
  readonly now: Date;
}

interface AccessState {
  readonly reason: Reason;
  readonly message: string;
  readonly state: "in force" | "waiting" | "stalled";
  readonly roleBinding?: string;
}

/** Updates the status of each MlflowWorkspaceAccess that has changed. Returns the seconds until the next update, or undefined. */
export async function reportAccesses(cluster: WorkspaceCluster, view: AccessView): Promise<number | undefined> {
  const { accesses, installation, now } = view;
  const waits = await Promise.all(
    accesses
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .filter((access) => view.problems.get(access)?.isHidden !== true)
      .map(async (access) => {
        const accessState = accessStateOf(access, view);
        const left = accessState.state === "stalled" ? graceLeft(access, [accessState.reason], installation, now) : 0;
        const status = statusOf(access, left > 0 ? { ...accessState, state: "waiting" } : accessState, now);
        if (isDeepStrictEqual(status, access.status)) return left;
        await cluster.reportAccess(access, status);
        for (const event of accessEvents(access.status, status)) await cluster.recordEvent(access, event);
        return left;
      }),
  );
  const times = waits.filter((left) => left > 0);
  return times.length === 0 ? undefined : Math.min(...times);
}

function statusOf(access: MlflowWorkspaceAccess, accessState: AccessState, now: Date): MlflowWorkspaceAccessStatus {
  const { reason, message, state, roleBinding } = accessState;
  const generation = access.metadata.generation ?? 0;
  const newConditions: NewCondition[] = [
    { type: "Ready", status: state === "in force" ? "True" : "False", reason, message },
    state === "waiting" ? { type: "Reconciling", status: "True", reason, message } : notReconciling,
    state === "stalled" ? { type: "Stalled", status: "True", reason, message } : notStalled,
  ];
  return {
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(access, now)),
    conditions: conditionsOf(newConditions, access.status?.conditions ?? [], generation, now),
    ...(roleBinding !== undefined && { roleBinding }),
  };
}

/** The state of an access for one reason; undefined if the reason does not apply. */
type StateCheck = (access: MlflowWorkspaceAccess, view: AccessView) => AccessState | undefined;

/** In the order in which they are reported; the grant is in force if none applies. */
const checks: readonly StateCheck[] = [unsupported, expired, missingServer, optInMissing, notServed, conflicting];

function accessStateOf(access: MlflowWorkspaceAccess, view: AccessView): AccessState {
  for (const check of checks) {
    const found = check(access, view);
    if (found !== undefined) return found;
  }
  return inForce(access);
}

function unsupported(access: MlflowWorkspaceAccess, { problems }: AccessView): AccessState | undefined {
  const problem = problems.get(access);
  return problem && { state: "stalled", ...problem.cause };
}

function expired(access: MlflowWorkspaceAccess, { now }: AccessView): AccessState | undefined {
  if (!isExpired(access, now)) return undefined;
  return {
    state: "stalled",
    reason: "Expired",
    message: `The grant expired at ${access.spec.expiresAt}, so its subjects have no access. Set spec.expiresAt to a later time, or delete it`,
  };
}

function missingServer(access: MlflowWorkspaceAccess, { hasServer }: AccessView): AccessState | undefined {
  if (hasServer(access)) return undefined;
  const { namespace, name } = access.spec.serverRef;
  return {
    state: "stalled",
    reason: "WorkspaceNotServed",
    message: `MlflowServer ${namespace}/${name} does not exist, so nothing is granted. Correct spec.serverRef, or create the server`,
  };
}

function optInMissing({ spec, metadata }: MlflowWorkspaceAccess, { namespace }: AccessView): AccessState | undefined {
  const { serverRef } = spec;
  const place = metadata.namespace;
  const host = namespace?.metadata.labels?.[label.workspaceOf];
  if (host === serverRef.namespace) return undefined;
  const what =
    host === undefined
      ? `is not labeled as a workspace of servers in namespace ${serverRef.namespace}`
      : `is a workspace of servers in namespace ${host}, not ${serverRef.namespace}`;
  return {
    state: "stalled",
    reason: "WorkspaceOptInMissing",
    message: `namespace ${place} ${what}, so nothing is granted. An administrator of the namespace can label it: kubectl label namespace ${place} ${label.workspaceOf}=${serverRef.namespace}`,
  };
}

function notServed(access: MlflowWorkspaceAccess, { servers, waits, problems }: AccessView): AccessState | undefined {
  const { serverRef } = access.spec;
  const isReferenced = (server: MlflowServer) => isServerOf(access, server);
  if (servers.some(isReferenced)) return undefined;
  if (waits.some(isReferenced))
    return { state: "waiting", reason: "Progressing", message: "Waiting until the server has its finalizer" };
  const unread = [...problems].find(
    ([{ kind, metadata }]) =>
      kind === "MlflowServer" && metadata.name === serverRef.name && metadata.namespace === serverRef.namespace,
  );
  if (unread !== undefined) return { state: "waiting", ...unread[1].cause };
  return {
    state: "stalled",
    reason: "WorkspaceNotServed",
    message: `namespace ${access.metadata.namespace} is not a workspace of MlflowServer ${serverRef.namespace}/${serverRef.name}, so nothing is granted. Correct spec.serverRef, or have spec.workspaces of the server select this namespace`,
  };
}

function conflicting(access: MlflowWorkspaceAccess, { conflicts }: AccessView): AccessState | undefined {
  const roleBinding = roleBindingOf(access);
  const conflict = conflicts.find(
    ({ manifest }) => manifest.kind === "RoleBinding" && manifest.metadata.name === roleBinding,
  );
  return conflict && { state: "stalled", reason: conflict.reason, message: conflict.message };
}

function inForce(access: MlflowWorkspaceAccess): AccessState {
  const { subjects, role, expiresAt } = access.spec;
  const roleBinding = roleBindingOf(access);
  const who = subjects.length === 1 ? "1 subject has" : `${subjects.length} subjects have`;
  const until = expiresAt === undefined ? "" : `, until ${expiresAt}`;
  return {
    state: "in force",
    reason: "Granted",
    message: `${who} the role ${role} by RoleBinding ${roleBinding}${until}`,
    roleBinding,
  };
}

function roleBindingOf({ spec: { serverRef, role } }: MlflowWorkspaceAccess): string {
  return nameOf({ metadata: serverRef }, role);
}
