import type { Subject } from "../kube/manifests.ts";
import { clusterRoleName, type WorkspaceRole, workspaceRules } from "../kube/workspace-roles.ts";
import { grantsIn } from "../resources/workspace/grant.ts";
import type { Workspace } from "../resources/workspace/workspace.ts";
import { table } from "./output.ts";
import type { NamedResources, PermissionRow } from "./server-access.ts";

/** A row of the table: a role in a workspace, or a permission on experiments and models of a server. */
export type Row = AccessRow | PermissionRow;

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
export function accessTable(rows: readonly Row[], isWide = false): string {
  const hasResources = rows.some((row) => "resources" in row);
  const cells = rows
    .map((row) => cellsOf(row, hasResources, isWide))
    .sort((a, b) => (a.join("\n") < b.join("\n") ? -1 : 1));
  const head = ["SUBJECT", "ROLE", "THROUGH", "EXPIRES"];
  return table([...head, ...(hasResources ? ["RESOURCES"] : []), ...(isWide ? ["CLUSTERROLE", "ALLOWS"] : [])], cells);
}

function cellsOf(row: Row, hasResources: boolean, isWide: boolean): string[] {
  const { subject, role, through } = row;
  const cells = [subjectText(subject), role, through];
  if ("resources" in row)
    return [...cells, "", resourcesText(row.resources), ...(isWide ? ["", permissionsText[row.role]] : [])];
  return [
    ...cells,
    row.expires ?? "",
    ...(hasResources ? [""] : []),
    ...(isWide ? [clusterRoleName(row.role), permissionText(row.role)] : []),
  ];
}

/** What a permission of MLflow allows. */
const permissionsText = {
  READ: "get,list",
  EDIT: "get,list,update",
  MANAGE: "get,list,update,delete,grant to others",
} as const;

function resourcesText({ experiments = [], registeredModels = [] }: NamedResources): string {
  const texts = [
    ...experiments.map((name) => `experiment ${name}`),
    ...registeredModels.map((name) => `registered model ${name}`),
  ];
  return texts.join(", ");
}

function subjectText({ kind, namespace, name }: Subject): string {
  return kind === "ServiceAccount" ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}

/** All verbs that a role allows on some resource. */
function permissionText(role: WorkspaceRole): string {
  return [...new Set(workspaceRules[role].flatMap(({ verbs }) => verbs))].join(",");
}
