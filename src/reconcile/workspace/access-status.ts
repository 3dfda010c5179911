import { isDeepStrictEqual } from "node:util";
import type { Reason } from "../../api/reasons.ts";
import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess, MlflowWorkspaceAccessStatus } from "../../api/workspace-access.ts";
import { conditionsOf, type Finding } from "../../kube/conditions.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import { isExpired, isServerOf } from "../../resources/workspace/grant.ts";
import { nameOf } from "../../resources/workspace/role-bindings.ts";
import type { WorkspaceObstacle } from "./commit.ts";
import type { WorkspaceCluster } from "./workspace-cluster.ts";

interface Situation {
  readonly namespace: Namespace | undefined;
  readonly servers: readonly MlflowServer[];
  /** Servers that have the namespace as a workspace, but are not ready to grant in it. */
  readonly waits: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly obstacles: readonly WorkspaceObstacle[];
  readonly now: Date;
}

interface Verdict {
  readonly reason: Reason;
  readonly message: string;
  readonly state: "in force" | "waiting" | "over" | "stalled";
  readonly roleBinding?: string;
}

/** Tells each access whether it is in force, where that is news. */
export async function reportAccesses(cluster: WorkspaceCluster, situation: Situation): Promise<void> {
  await Promise.all(
    situation.accesses.map(async (access) => {
      if (access.metadata.deletionTimestamp !== undefined) return;
      const status = statusOf(access, verdictOn(access, situation), situation.now);
      if (!isDeepStrictEqual(status, access.status)) await cluster.reportAccess(access, status);
    }),
  );
}

function statusOf(access: MlflowWorkspaceAccess, verdict: Verdict, now: Date): MlflowWorkspaceAccessStatus {
  const { reason, message, state, roleBinding } = verdict;
  const generation = access.metadata.generation ?? 0;
  const ready: Finding = { type: "Ready", status: state === "in force" ? "True" : "False", reason, message };
  const stalled: Finding =
    state === "stalled"
      ? { type: "Stalled", status: "True", reason, message }
      : { type: "Stalled", status: "False", reason: "NotStalled", message: "nobody needs to do anything" };
  return {
    observedGeneration: generation,
    conditions: conditionsOf([ready, stalled], access.status?.conditions ?? [], generation, now),
    ...(roleBinding !== undefined && { roleBinding }),
  };
}

function verdictOn(access: MlflowWorkspaceAccess, situation: Situation): Verdict {
  const { namespace, servers, waits, obstacles, now } = situation;
  const { serverRef, role, subjects, expiresAt } = access.spec;
  const place = access.metadata.namespace ?? "default";
  if (isExpired(access, now)) {
    return {
      state: "over",
      reason: "Expired",
      message: `the grant ended at ${expiresAt}: delete it, or set spec.expiresAt`,
    };
  }
  const host = namespace?.metadata.labels?.[label.workspaceOf];
  if (host !== serverRef.namespace) {
    const says =
      host === undefined ? "does not say that it is a workspace" : `is a workspace of servers in namespace ${host}`;
    return {
      state: "stalled",
      reason: "WorkspaceConsentMissing",
      message: `namespace ${place} ${says}: whoever administers it says so by kubectl label namespace ${place} ${label.workspaceOf}=${serverRef.namespace}`,
    };
  }
  const isMeant = (server: MlflowServer) => isServerOf(access, server);
  const server = servers.find(isMeant);
  if (server === undefined && waits.some(isMeant)) {
    return { state: "waiting", reason: "Progressing", message: "the server is on its way" };
  }
  if (server === undefined) {
    return {
      state: "stalled",
      reason: "WorkspaceNotServed",
      message: `MlflowServer ${serverRef.namespace}/${serverRef.name} does not exist, or namespace ${place} is no workspace of it: mend spec.serverRef, or have spec.workspaces of the server choose this namespace`,
    };
  }
  const roleBinding = nameOf(server, role);
  const obstacle = obstacles.find(
    ({ manifest }) => manifest.kind === "RoleBinding" && manifest.metadata.name === roleBinding,
  );
  if (obstacle !== undefined) return { state: "stalled", reason: obstacle.reason, message: obstacle.message };
  const who = subjects.length === 1 ? "1 subject is" : `${subjects.length} subjects are`;
  const until = expiresAt === undefined ? "" : `, until ${expiresAt}`;
  return {
    state: "in force",
    reason: "Granted",
    message: `${who} ${role} by RoleBinding ${roleBinding}${until}`,
    roleBinding,
  };
}
