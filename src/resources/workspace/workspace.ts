import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess } from "../../api/workspace-access.ts";
import type { ConfigMap, Namespace, Owned, RoleBinding } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectNames } from "../../model/names.ts";
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

/** Whether an object in a workspace is managed by the operator: its name is checked too, because labels can be copied. */
export function isWorkspaceObject(object: Owned): object is RoleBinding | ConfigMap {
  const { name, labels = {} } = object.metadata;
  const { [label.serverNamespace]: namespace, [label.server]: server } = labels;
  if (labels[label.managedBy] !== manager || namespace === undefined) return false;
  if (object.kind === "ConfigMap") return name === objectNames.client && labels[label.clientOf] !== undefined;
  return object.kind === "RoleBinding" && name.startsWith(`mlflow.${namespace}.${server}.`);
}
