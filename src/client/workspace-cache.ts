import { isDeepStrictEqual } from "node:util";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Change, EventHandler } from "../kube/client/event-handler.ts";
import { Store } from "../kube/client/store.ts";
import type { Namespace, Owned } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";
import { needsOptIn } from "../model/workspaces.ts";
import { isWorkspaceObject } from "../resources/workspace/workspace.ts";
import { byNamespace, byServer, namespaceEntry, serverEntry } from "./indexes.ts";

/** Cached objects of workspaces. */
export interface WorkspaceCache {
  readonly optedInNamespaces: WorkspaceNamespaces;
  /** RoleBindings with the label of the operator. */
  readonly bindings: Store<Owned>;
  readonly accesses: Store<MlflowWorkspaceAccess>;
  readonly servers: (namespace: string) => MlflowServer[];
  /** Objects of the operator in a namespace. */
  readonly grantedIn: (namespace: string) => ReturnType<typeof grantedOnly>;
  /** The objects in workspaces for a server, except those in terminating namespaces. */
  granted(key: Key): Owned[];
  /** All namespaces that may need a reconciliation after the start. */
  all(): Set<string>;
  /** Reports all namespaces that a change of this server can affect. */
  touched(server: MlflowServer): void;
}

export interface WorkspaceSources {
  readonly servers: (namespace: string) => MlflowServer[];
  /** A ConfigMap with the label of the operator. */
  readonly configMap: (key: Key) => Owned | undefined;
  readonly onServer: (key: Key) => void;
  readonly onWorkspace: (namespace: string) => void;
}

export function workspaceCache({ servers, configMap, onServer, onWorkspace }: WorkspaceSources): WorkspaceCache {
  const optedInNamespaces = workspaceNamespaces({
    workspace: onWorkspace,
    host: (namespace) => {
      for (const { metadata, spec } of servers(namespace))
        if (needsOptIn(spec)) onServer({ namespace, name: metadata.name });
    },
  });
  const bindings = new Store<Owned>((_change, { metadata }) => onWorkspace(metadata.namespace ?? ""), {
    indexesOf: (object) => [...byServer(object), ...byNamespace(object)],
  });
  const accesses = new Store<MlflowWorkspaceAccess>((_change, { metadata }) => onWorkspace(metadata.namespace), {
    indexesOf: byNamespace,
    isCustom: true,
  });
  const client = (namespace: string) => configMap({ namespace, name: objectNames.client });
  const grantedIn = (namespace: string) =>
    grantedOnly([
      ...bindings.indexed(namespaceEntry(namespace)),
      ...[client(namespace)].filter((each) => each !== undefined),
    ]);

  return {
    optedInNamespaces,
    bindings,
    accesses,
    servers,
    grantedIn,
    granted: (key) => {
      const clients = optedInNamespaces
        .of(key.namespace)
        .flatMap(({ metadata }) => client(metadata.name) ?? [])
        .filter(({ metadata }) => metadata.labels?.[label.clientOf] === key.name);
      return grantedOnly([...bindings.indexed(serverEntry(key)), ...clients]).filter(({ metadata }) => {
        const isTerminating = optedInNamespaces.get(metadata.namespace ?? "")?.metadata.deletionTimestamp !== undefined;
        return metadata.deletionTimestamp === undefined && !isTerminating;
      });
    },
    all: () =>
      new Set([
        ...[...optedInNamespaces.all()].map(({ metadata }) => metadata.name),
        ...[...bindings.all(), ...accesses.all()].map(({ metadata }) => metadata.namespace ?? ""),
      ]),
    touched: ({ metadata: { namespace, name } }) => {
      const affected = [
        ...optedInNamespaces.of(namespace).map(({ metadata }) => metadata.name),
        ...bindings.indexed(serverEntry({ namespace, name })).map(({ metadata }) => metadata.namespace ?? ""),
        // An MlflowWorkspaceAccess reports whether its server exists, even if its namespace has not opted in.
        ...[...accesses.all()].flatMap(({ metadata, spec: { serverRef } }) =>
          serverRef.namespace === namespace && serverRef.name === name ? [metadata.namespace] : [],
        ),
      ];
      for (const affectedNamespace of new Set(affected)) onWorkspace(affectedNamespace);
    },
  };
}

function grantedOnly(objects: readonly Owned[]) {
  return objects.filter(isWorkspaceObject);
}

/** Whether a server changed in a field that affects workspaces: spec, finalizers or deletion, not status. */
export function isOtherServer({ metadata }: MlflowServer, before: MlflowServer | undefined): boolean {
  return (
    before?.metadata.uid !== metadata.uid ||
    before?.metadata.generation !== metadata.generation ||
    before?.metadata.deletionTimestamp !== metadata.deletionTimestamp ||
    !isDeepStrictEqual(before?.metadata.finalizers, metadata.finalizers)
  );
}

/** Index of the namespaces that opted in as workspaces, by the namespace of their servers. */
export interface WorkspaceNamespaces extends Omit<EventHandler<Namespace>, "relisted"> {
  of(namespace: string): Namespace[];
  readonly get: (name: string) => Namespace | undefined;
  all(): Iterable<Namespace>;
}

export interface WorkspaceNamespacesObserver {
  /** A workspace of servers in this namespace was added, removed or changed. */
  readonly host: (namespace: string) => void;
  /** This namespace was added, changed or removed. */
  readonly workspace: (name: string) => void;
}

function workspaceNamespaces({ host, workspace }: WorkspaceNamespacesObserver): WorkspaceNamespaces {
  const byHost = new Map<string, Map<string, Namespace>>();

  function note(change: Change, namespace: Namespace, before: Namespace | undefined): void {
    const [previous, current] = [hostOf(before), change === "deleted" ? undefined : hostOf(namespace)];
    const { name } = namespace.metadata;
    if (previous !== undefined && previous !== current) {
      byHost.get(previous)?.delete(name);
      host(previous);
    }
    if (current !== undefined) {
      const all = byHost.get(current) ?? new Map<string, Namespace>();
      byHost.set(current, all.set(name, namespace));
    }
    if (previous === current && isEquivalent(before, namespace)) return;
    if (current !== undefined) host(current);
    workspace(name);
  }

  const { changed: receive, reached, listing, get, all } = new Store<Namespace>(note);
  return {
    changed: receive,
    reached,
    listing,
    all,
    get: (name) => get({ namespace: "", name }),
    of: (namespace) => [...(byHost.get(namespace)?.values() ?? [])],
  };
}

function hostOf(namespace: Namespace | undefined): string | undefined {
  return namespace?.metadata.labels?.[label.workspaceOf];
}

/** Whether the fields that affect the content of a workspace are equal. */
function isEquivalent(before: Namespace | undefined, { metadata }: Namespace): boolean {
  return (
    isDeepStrictEqual(before?.metadata.labels, metadata.labels) &&
    before?.metadata.deletionTimestamp === metadata.deletionTimestamp &&
    before?.metadata.uid === metadata.uid
  );
}
