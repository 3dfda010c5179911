import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { workspacesOf } from "../workspaces.ts";

/** All that what is written into a namespace depends on. */
export interface Workspace {
  readonly namespace: Namespace;
  /** The servers that have it as a workspace, the oldest first. */
  readonly servers: readonly MlflowServer[];
  /** What its own people grant, by name. */
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly now: Date;
}

/** Those of the servers that have the namespace as a workspace: it consents, and they choose it. The oldest first. */
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
