import { isDeepStrictEqual } from "node:util";
import type { Namespace } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Change, Sink } from "./sink.ts";
import { store } from "./store.ts";

/** The namespaces that have consented to be workspaces, by the namespace of whose servers. */
export interface Consents extends Omit<Sink<Namespace>, "relisted"> {
  of(namespace: string): Namespace[];
}

/** `changed` is told the namespace whose servers gain or lose a workspace, or have one whose labels change. */
export function consents(changed: (namespace: string) => void): Consents {
  const given = new Map<string, Map<string, Namespace>>();

  function note(change: Change, namespace: Namespace, before: Namespace | undefined): void {
    const [former, present] = [hostOf(before), change === "deleted" ? undefined : hostOf(namespace)];
    if (former !== undefined && former !== present) {
      given.get(former)?.delete(namespace.metadata.name);
      changed(former);
    }
    if (present === undefined) return;
    const all = given.get(present) ?? new Map<string, Namespace>();
    given.set(present, all.set(namespace.metadata.name, namespace));
    const isSame = former === present && isDeepStrictEqual(before?.metadata.labels, namespace.metadata.labels);
    if (!isSame) changed(present);
  }

  const { changed: receive, reached, listing } = store<Namespace>(note);
  return { changed: receive, reached, listing, of: (namespace) => [...(given.get(namespace)?.values() ?? [])] };
}

function hostOf(namespace: Namespace | undefined): string | undefined {
  return namespace?.metadata.labels?.[label.workspaceOf];
}
