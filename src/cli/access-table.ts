import type { Subject } from "../kube/manifests.ts";
import { clusterRoleName, type WorkspaceRole, workspaceRules } from "../kube/workspace-roles.ts";
import { grantsIn } from "../resources/workspace/grant.ts";
import type { Workspace } from "../resources/workspace/workspace.ts";
import { table } from "./output.ts";

/** A subject with a role in a workspace, and the object that grants it. */
export interface AccessRow {
  readonly subject: Subject;
  readonly role: WorkspaceRole;
  /** The object that grants it, and the field. */
  readonly through: string;
  readonly expires?: string;
}

/** The roles in a workspace that its MlflowServers and MlflowWorkspaceAccesses grant. */
export function accessRows(workspace: Workspace): AccessRow[] {
  return grantsIn(workspace).inForce.map(({ subject, role, server, access, index }) => {
    const { namespace, name } = server.metadata;
    if (access === undefined) {
      return { subject, role, through: `MlflowServer ${namespace}/${name}, spec.workspaces.access[${index}]` };
    }
    const { expiresAt } = access.spec;
    const through = `MlflowWorkspaceAccess ${access.metadata.namespace}/${access.metadata.name}`;
    return { subject, role, through, ...(expiresAt !== undefined && { expires: expiresAt }) };
  });
}

/** The rows as a table, sorted. `isWide` adds the ClusterRole and what it allows. */
export function accessTable(rows: readonly AccessRow[], isWide = false): string {
  const cells = rows
    .map(({ subject, role, through, expires = "" }) => [
      subjectText(subject),
      role,
      through,
      expires,
      ...(isWide ? [clusterRoleName(role), permissionText(role)] : []),
    ])
    .sort((a, b) => (a.join("\n") < b.join("\n") ? -1 : 1));
  const head = ["SUBJECT", "ROLE", "THROUGH", "EXPIRES", ...(isWide ? ["CLUSTERROLE", "ALLOWS"] : [])];
  return table(head, cells);
}

function subjectText({ kind, namespace, name }: Subject): string {
  return kind === "ServiceAccount" ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}

/** All verbs that a role allows on some resource. */
function permissionText(role: WorkspaceRole): string {
  return [...new Set(workspaceRules[role].flatMap(({ verbs }) => verbs))].join(",");
}
