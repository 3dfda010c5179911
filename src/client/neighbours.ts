import type { AuthorizationPolicy, Neighbour } from "../kube/manifests.ts";
import { keyText } from "../kube/object.ts";
import type { Listing, Sink } from "./sink.ts";
import { store } from "./store.ts";

/** All objects of one kind, in brief, by namespace. */
export interface Neighbours extends Required<Omit<Sink<Neighbour>, "listing">> {
  listing(): Listing<Neighbour>;
  /** Undefined until they are known. */
  of(namespace: string): Neighbour[] | undefined;
}

/** `changed` is told the namespace in which something has changed; undefined: in any, as after a list. */
export function neighbours(changed: (namespace: string | undefined) => void): Neighbours {
  let isListed = false;
  const byNamespace = new Map<string, Map<string, Neighbour>>();
  const kept = store<Neighbour>((change, object) => {
    const { namespace = "", name } = object.metadata;
    const those = byNamespace.get(namespace) ?? new Map<string, Neighbour>();
    if (change === "deleted") those.delete(keyText({ namespace, name }));
    else byNamespace.set(namespace, those.set(keyText({ namespace, name }), object));
    if (those.size === 0) byNamespace.delete(namespace);
    changed(namespace);
  });
  return {
    of: (namespace) => (isListed ? [...(byNamespace.get(namespace)?.values() ?? [])] : undefined),
    changed: (change, object) => kept.changed(change, brief(object)),
    reached: kept.reached,
    listing: () => {
      const { item, complete } = kept.listing();
      return { item: (object) => item(brief(object)), complete };
    },
    relisted: () => {
      // Later lists are compared with what is known.
      if (isListed) return;
      isListed = true;
      changed(undefined);
    },
  };
}

/** Pods of a server have fewer labels: so many of a selector are enough to tell that it does not select them. */
const mostLabels = 64;

function shortSelector(selector: Record<string, string> = {}): Record<string, string> {
  const labels = Object.entries(selector);
  return labels.length > mostLabels ? Object.fromEntries(labels.slice(0, mostLabels)) : selector;
}

/** Only what can be in the way: there may be thousands of Services. */
function brief(object: Neighbour): Neighbour {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
  if (object.kind === "Service") {
    const { selector } = object.spec;
    const spec = selector ? { selector: shortSelector(selector) } : {};
    return { apiVersion: object.apiVersion, kind: object.kind, metadata, spec };
  }
  // An AuthorizationPolicy without a spec is one, too: it allows nothing.
  const { selector, targetRef, targetRefs, action, rules }: Partial<AuthorizationPolicy["spec"]> = object.spec ?? {};
  const targets = [...(targetRefs ?? []).slice(0, mostLabels), ...(targetRef ? [targetRef] : [])];
  const spec = {
    ...(selector && { selector: { matchLabels: shortSelector(selector.matchLabels) } }),
    ...(targets[0] && { targetRefs: targets }),
    ...(action && { action }),
    // Whether there is one, not what it says.
    ...(rules?.[0] && { rules: [{}] }),
  };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, spec };
}
