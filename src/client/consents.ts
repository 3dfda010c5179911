import { isDeepStrictEqual } from "node:util";
import type { Namespace } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Change, Sink } from "./sink.ts";
import { store } from "./store.ts";

/** The namespaces that have consented to be workspaces, by the namespace of whose servers. */
export interface Consents extends Omit<Sink<Namespace>, "relisted"> {
  of(namespace: string): Namespace[];
  get(name: string): Namespace | undefined;
  all(): Iterable<Namespace>;
}

export interface ConsentsObserver {
  /** Servers in this namespace gain or lose a workspace, or have one that changes. */
  host(namespace: string): void;
  /** This namespace has come, changed or gone. */
  workspace(name: string): void;
}

export function consents({ host, workspace }: ConsentsObserver): Consents {
  const given = new Map<string, Map<string, Namespace>>();

  function note(change: Change, namespace: Namespace, before: Namespace | undefined): void {
    const [former, present] = [hostOf(before), change === "deleted" ? undefined : hostOf(namespace)];
    const { name } = namespace.metadata;
    if (former !== undefined && former !== present) {
      given.get(former)?.delete(name);
      host(former);
    }
    if (present !== undefined) {
      const all = given.get(present) ?? new Map<string, Namespace>();
      given.set(present, all.set(name, namespace));
    }
    if (former === present && isAlike(before, namespace)) return;
    if (present !== undefined) host(present);
    workspace(name);
  }

  const { changed: receive, reached, listing, get, all } = store<Namespace>(note);
  return {
    changed: receive,
    reached,
    listing,
    all,
    get: (name) => get({ namespace: "", name }),
    of: (namespace) => [...(given.get(namespace)?.values() ?? [])],
  };
}

function hostOf(namespace: Namespace | undefined): string | undefined {
  return namespace?.metadata.labels?.[label.workspaceOf];
}

/** In all that matters to what is in it. */
function isAlike(before: Namespace | undefined, { metadata }: Namespace): boolean {
  return (
    isDeepStrictEqual(before?.metadata.labels, metadata.labels) &&
    before?.metadata.deletionTimestamp === metadata.deletionTimestamp &&
    before?.metadata.uid === metadata.uid
  );
}
