import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import { label } from "../../kube/names.ts";
import type { Key } from "../../kube/object.ts";
import { clusterRoleName, isWorkspaceRole } from "../../kube/workspace-roles.ts";
import { subjectKey } from "../../resources/workspace/grant.ts";
import type { WorkspaceObject } from "./workspace-cluster.ts";
import type { ObservedWorkspace } from "./workspace-plan.ts";

/**
 * The part of a workspace that this operator supports. A server with an unsupported spec keeps its grants and grants
 * nothing new; of an unsupported access, the subjects that already have its role keep it.
 */
export function supportedIn(
  observed: Pick<ObservedWorkspace, "servers" | "accesses" | "granted" | "problems">,
): Pick<ObservedWorkspace, "servers" | "accesses" | "granted"> {
  const unknown = observed.servers.filter((server) => observed.problems?.has(server));
  return {
    servers: observed.servers.filter((server) => !unknown.includes(server)),
    accesses: observed.accesses.flatMap((access) =>
      observed.problems?.has(access) ? kept(access, observed.granted) : [access],
    ),
    granted: observed.granted.filter((object) => !unknown.some(({ metadata }) => isOf(object, metadata))),
  };
}

function isOf({ metadata }: WorkspaceObject, server: Key): boolean {
  const { [label.server]: name, [label.clientOf]: host, [label.serverNamespace]: namespace } = metadata.labels ?? {};
  return (name ?? host) === server.name && namespace === server.namespace;
}

function kept(access: MlflowWorkspaceAccess, granted: readonly WorkspaceObject[]): MlflowWorkspaceAccess[] {
  const { serverRef, role, subjects, expiresAt } = access.spec;
  if (!isWorkspaceRole(role) || !Array.isArray(subjects)) return [];
  const bound = granted
    .filter((object) => object.kind === "RoleBinding" && object.roleRef.name === clusterRoleName(role))
    .filter((object) => isOf(object, serverRef))
    .flatMap((object) => (object.kind === "RoleBinding" ? (object.subjects ?? []).map(subjectKey) : []));
  const having = subjects.filter((subject) => bound.includes(subjectKey(subject)));
  const expiry = typeof expiresAt === "string" ? { expiresAt } : {};
  return having.length === 0 ? [] : [{ ...access, spec: { serverRef, role, subjects: having, ...expiry } }];
}
