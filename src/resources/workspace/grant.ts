import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { Namespace, Subject } from "../../kube/manifests.ts";
import type { WorkspaceRole } from "../../kube/workspace-roles.ts";
import type { Workspace } from "./workspace.ts";

/** One role for one subject, and who says so. */
export interface Grant {
  readonly server: MlflowServer;
  readonly role: WorkspaceRole;
  readonly subject: Subject;
  /** The access that grants it; undefined where the server itself does. */
  readonly access?: MlflowWorkspaceAccess;
  /** Where in the server's spec it stands, from 0. */
  readonly index?: number;
}

/** Two servers give one subject different roles in one namespace; the older one's counts. */
export interface GrantConflict {
  readonly server: MlflowServer;
  readonly older: MlflowServer;
  readonly subject: Subject;
  readonly role: WorkspaceRole;
  readonly olderRoles: readonly WorkspaceRole[];
}

export interface Grants {
  readonly inForce: readonly Grant[];
  readonly contradictions: readonly GrantConflict[];
}

/**
 * What is granted in a workspace. Rights are those of a namespace, whichever server asks for them, so what two servers grant
 * adds up; where they contradict each other the older one counts. What its own people grant counts besides.
 */
export function grantsIn({ namespace, servers, accesses, now }: Workspace): Grants {
  const inForce: Grant[] = [];
  const contradictions: GrantConflict[] = [];
  for (const server of servers) {
    const older = [...inForce];
    for (const grant of serverGrants(server, namespace)) {
      const former = older.filter(({ subject }) => subjectKey(subject) === subjectKey(grant.subject));
      const [first] = former;
      if (first === undefined || former.some(({ role }) => role === grant.role)) inForce.push(grant);
      else
        contradictions.push({
          server,
          older: first.server,
          subject: grant.subject,
          role: grant.role,
          olderRoles: former.map(({ role }) => role),
        });
    }
  }
  for (const access of accesses) {
    const server = servers.find((each) => isServerOf(access, each));
    if (server === undefined || isExpired(access, now)) continue;
    for (const subject of access.spec.subjects)
      inForce.push({ server, role: access.spec.role, subject: subjectOf(subject), access });
  }
  return { inForce, contradictions };
}

/** What a server grants in a namespace that is a workspace of it. */
function serverGrants(server: MlflowServer, namespace: Namespace): Grant[] {
  return (server.spec.workspaces?.access ?? []).flatMap((grant, index) => {
    const { role, subjects, namespaces, selector } = grant;
    const isMeant = namespaces?.includes(namespace.metadata.name) ?? hasLabels(namespace, selector?.matchLabels ?? {});
    return isMeant ? subjects.map((subject): Grant => ({ server, role, subject: subjectOf(subject), index })) : [];
  });
}

function hasLabels({ metadata }: Namespace, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
}

/** Whether an access names this server. */
export function isServerOf({ spec }: MlflowWorkspaceAccess, { metadata }: MlflowServer): boolean {
  return spec.serverRef.name === metadata.name && spec.serverRef.namespace === (metadata.namespace ?? "default");
}

/** Whether the end of a grant has come. */
export function isExpired({ spec }: MlflowWorkspaceAccess, now: Date): boolean {
  return spec.expiresAt !== undefined && Date.parse(spec.expiresAt) <= now.getTime();
}

function subjectOf({ kind, name, namespace }: MlflowWorkspaceAccess["spec"]["subjects"][number]): Subject {
  if (kind === "ServiceAccount") return { kind, name, namespace: namespace ?? "" };
  return { kind, apiGroup: "rbac.authorization.k8s.io", name };
}

/** A subject as one text: the same for the same, another for another. */
export function subjectKey({ kind, namespace = "", name }: Subject): string {
  return `${kind}/${namespace}/${name}`;
}
