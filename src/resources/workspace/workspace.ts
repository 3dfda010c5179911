import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { workspacesOf } from "../../model/workspaces.ts";

/** Everything that the managed objects in a workspace depend on. */
export interface Workspace {
  readonly namespace: Namespace;
  /** The servers that have it as a workspace, oldest first. */
  readonly servers: readonly MlflowServer[];
  /** The MlflowWorkspaceAccess objects in the namespace, sorted by name. */
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly now: Date;
}

/** Returns the servers that have the namespace as a workspace, oldest first: it has opted in, and they select it. */
export function serversOf(namespace: Namespace, servers: readonly MlflowServer[]): MlflowServer[] {
  return servers
    .filter((server) => server.spec.workspaces !== undefined && workspacesOf(server, [namespace]).length > 0)
    .sort(byAge);
}

function byAge({ metadata: a }: MlflowServer, { metadata: b }: MlflowServer): number {
  return compared(a.creationTimestamp ?? "", b.creationTimestamp ?? "") || compared(a.name, b.name);
}

function compared(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
