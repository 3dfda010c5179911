import type { AuthorizationPolicy, Neighbour } from "../kube/manifests.ts";
import { keyText } from "../kube/object.ts";
import type { Sink } from "./sink.ts";
import { store } from "./store.ts";

/** All objects of one kind, in brief, by namespace. */
export interface Neighbours extends Required<Sink<Neighbour>> {
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
      isListed = true;
      changed(undefined);
    },
  };
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
    return { apiVersion: object.apiVersion, kind: object.kind, metadata, spec: { ...(selector && { selector }) } };
  }
  // An AuthorizationPolicy without a spec is one, too: it allows nothing.
  const { selector, targetRef, targetRefs, action, rules }: Partial<AuthorizationPolicy["spec"]> = object.spec ?? {};
  const targets = [...(targetRefs ?? []), ...(targetRef ? [targetRef] : [])];
  const spec = {
    ...(selector && { selector }),
    ...(targets[0] && { targetRefs: targets }),
    ...(action && { action }),
    // Whether there is one, not what it says.
    ...(rules?.[0] && { rules: [{}] }),
  };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, spec };
}
