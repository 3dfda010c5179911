import { isDeepStrictEqual } from "node:util";
import type { Change, EventHandler } from "../kube/client/event-handler.ts";
import { Store } from "../kube/client/store.ts";
import type { Namespace } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";

/** Index of the namespaces that opted in as workspaces, by the namespace of their servers. */
export interface WorkspaceNamespaces extends Omit<EventHandler<Namespace>, "relisted"> {
  of(namespace: string): Namespace[];
  get(name: string): Namespace | undefined;
  all(): Iterable<Namespace>;
}

export interface WorkspaceNamespacesObserver {
  /** A workspace of servers in this namespace was added, removed or changed. */
  host(namespace: string): void;
  /** This namespace was added, changed or removed. */
  workspace(name: string): void;
}

export function workspaceNamespaces({ host, workspace }: WorkspaceNamespacesObserver): WorkspaceNamespaces {
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
