import type { Subject } from "../kube/manifests.ts";
import type { WorkspaceRole } from "../kube/workspace-roles.ts";
import { grantsIn } from "../resources/workspace/grant.ts";
import type { Workspace } from "../resources/workspace/workspace.ts";

/** Somebody who may do something in a workspace, and why. */
export interface AccessRow {
  readonly subject: Subject;
  readonly role: WorkspaceRole;
  /** The object that grants it, and where in it. */
  readonly through: string;
  readonly expires?: string;
}

/** Who has which role in a workspace by what servers and accesses grant. */
export function accessRows(workspace: Workspace): AccessRow[] {
  return grantsIn(workspace).inForce.map(({ subject, role, server, access, index }) => {
    const { namespace = "default", name } = server.metadata;
    if (access === undefined) {
      return { subject, role, through: `MlflowServer ${namespace}/${name}, spec.workspaces.access[${index}]` };
    }
    const { expiresAt } = access.spec;
    const through = `MlflowWorkspaceAccess ${access.metadata.namespace}/${access.metadata.name}`;
    return { subject, role, through, ...(expiresAt !== undefined && { expires: expiresAt }) };
  });
}

/** The rows in columns, sorted, each once. */
export function accessTable(rows: readonly AccessRow[]): string {
  const body = rows.map(({ subject, role, through, expires = "" }) => [whoIs(subject), role, through, expires]);
  const distinct = [...new Map(body.map((row) => [row.join("\n"), row])).values()].sort((a, b) =>
    a.join("\n") < b.join("\n") ? -1 : 1,
  );
  const all = [["SUBJECT", "ROLE", "THROUGH", "EXPIRES"], ...distinct];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function whoIs({ kind, namespace, name }: Subject): string {
  return kind === "ServiceAccount" ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}
