import type { MlflowServer } from "../api/server.ts";
import type { Namespace } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { serversOf, type Workspace } from "../resources/workspace/workspace.ts";
import type { Documents } from "./documents.ts";

/** A workspace, as far as it is known without a cluster. */
export interface OfflineWorkspace extends Workspace {
  /** The namespace is not in the files: it is assumed to exist, to have opted in, and to have the labels of the server's selector. */
  readonly isAssumed: boolean;
}

/**
 * The workspaces of servers, sorted by name: the given namespaces with their labels, and those that a grant or an
 * MlflowWorkspaceAccess names, which are assumed to have opted in.
 */
export function offlineWorkspaces(
  { servers, accesses, namespaces }: Pick<Documents, "servers" | "accesses" | "namespaces">,
  now: Date,
): OfflineWorkspace[] {
  const known = new Map(namespaces.map((namespace) => [namespace.metadata.name, namespace]));
  const assumed = new Map<string, Namespace>();
  const assume = (name: string, server: MlflowServer) => {
    if (!known.has(name) && !assumed.has(name)) assumed.set(name, optedIn(name, server));
  };
  for (const server of servers)
    for (const { namespaces: named = [] } of server.spec.workspaces?.access ?? [])
      for (const name of named) assume(name, server);
  for (const { metadata, spec } of accesses) {
    const { name, namespace } = spec.serverRef;
    const server = servers.find(({ metadata: its }) => its.name === name && its.namespace === namespace);
    if (server !== undefined) assume(metadata.namespace, server);
  }
  return [...known.values(), ...assumed.values()]
    .map((namespace) => ({
      namespace,
      servers: serversOf(
        namespace,
        servers.filter(({ metadata }) => metadata.namespace === namespace.metadata.labels?.[label.workspaceOf]),
      ),
      accesses: accesses.filter(({ metadata }) => metadata.namespace === namespace.metadata.name),
      now,
      isAssumed: assumed.has(namespace.metadata.name),
    }))
    .filter((workspace) => workspace.servers.length > 0)
    .sort((a, b) => (a.namespace.metadata.name < b.namespace.metadata.name ? -1 : 1));
}

function optedIn(name: string, { metadata, spec }: MlflowServer): Namespace {
  const labels = { ...spec.workspaces?.selector?.matchLabels, [label.workspaceOf]: metadata.namespace };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}
