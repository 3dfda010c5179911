import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { Namespace, Subject } from "../../kube/manifests.ts";
import type { WorkspaceRole } from "../../kube/workspace-roles.ts";
import type { Workspace } from "./workspace.ts";

/** One role for one subject, and the object that grants it. */
export interface Grant {
  readonly server: MlflowServer;
  readonly role: WorkspaceRole;
  readonly subject: Subject;
  /** The MlflowWorkspaceAccess that grants it; undefined if the server does. */
  readonly access?: MlflowWorkspaceAccess;
  /** The index in the server's spec. */
  readonly index?: number;
}

/** Two servers grant one subject different roles in one namespace; the older server takes precedence. */
export interface GrantConflict {
  readonly server: MlflowServer;
  readonly older: MlflowServer;
  readonly subject: Subject;
  readonly role: WorkspaceRole;
  readonly olderRoles: readonly WorkspaceRole[];
}

export interface Grants {
  readonly inForce: readonly Grant[];
  readonly grantConflicts: readonly GrantConflict[];
}

/**
 * Returns the grants in a workspace. Permissions apply to a namespace, not to a server, so the grants of two servers
 * add up; on a conflict the older server takes precedence. Grants of MlflowWorkspaceAccess objects are added.
 */
export function grantsIn({ namespace, servers, accesses, now }: Workspace): Grants {
  const inForce: Grant[] = [];
  const grantConflicts: GrantConflict[] = [];
  for (const server of servers) {
    const older = [...inForce];
    for (const grant of serverGrants(server, namespace)) {
      const earlier = older.filter(({ subject }) => subjectKey(subject) === subjectKey(grant.subject));
      const [first] = earlier;
      if (first === undefined || earlier.some(({ role }) => role === grant.role)) inForce.push(grant);
      else
        grantConflicts.push({
          server,
          older: first.server,
          subject: grant.subject,
          role: grant.role,
          olderRoles: earlier.map(({ role }) => role),
        });
    }
  }
  for (const access of accesses) {
    const server = servers.find((each) => isServerOf(access, each));
    if (server === undefined || isExpired(access, now)) continue;
    for (const subject of access.spec.subjects)
      inForce.push({ server, role: access.spec.role, subject: subjectOf(subject), access });
  }
  return { inForce, grantConflicts };
}

/** Returns the grants of a server in one of its workspaces. */
function serverGrants(server: MlflowServer, namespace: Namespace): Grant[] {
  return (server.spec.workspaces?.access ?? []).flatMap((grant, index) => {
    const { role, subjects, namespaces, selector } = grant;
    const isSelected =
      namespaces?.includes(namespace.metadata.name) ?? hasLabels(namespace, selector?.matchLabels ?? {});
    return isSelected ? subjects.map((subject): Grant => ({ server, role, subject: subjectOf(subject), index })) : [];
  });
}

function hasLabels({ metadata }: Namespace, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
}

/** Whether an access references this server. */
export function isServerOf({ spec }: MlflowWorkspaceAccess, { metadata }: MlflowServer): boolean {
  return spec.serverRef.name === metadata.name && spec.serverRef.namespace === metadata.namespace;
}

/** Whether a grant has expired. */
export function isExpired({ spec }: MlflowWorkspaceAccess, now: Date): boolean {
  return spec.expiresAt !== undefined && Date.parse(spec.expiresAt) <= now.getTime();
}

function subjectOf({ kind, name, namespace }: MlflowWorkspaceAccess["spec"]["subjects"][number]): Subject {
  if (kind === "ServiceAccount") return { kind, name, namespace: namespace ?? "" };
  return { kind, apiGroup: "rbac.authorization.k8s.io", name };
}

/** Returns a unique key of a subject. */
export function subjectKey({ kind, namespace = "", name }: Subject): string {
  return `${kind}/${namespace}/${name}`;
}
