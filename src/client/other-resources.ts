import type { EventHandler, Listing } from "../kube/client/event-handler.ts";
import { Store } from "../kube/client/store.ts";
import type { AuthorizationPolicy, OtherResource } from "../kube/manifests.ts";
import { keyText } from "../kube/object.ts";
import { mapped } from "./mapped-handler.ts";

/** All objects of one kind by namespace, reduced to the fields that can cause conflicts. */
export interface OtherResources extends Required<Omit<EventHandler<OtherResource>, "listing">> {
  listing(): Listing<OtherResource>;
  /** Undefined until they are listed. */
  of(namespace: string): OtherResource[] | undefined;
}

/** `changed` is called with the namespace of a change; undefined after a list, which can change any namespace. */
export function otherResources(changed: (namespace: string | undefined) => void): OtherResources {
  let isListed = false;
  const byNamespace = new Map<string, Map<string, OtherResource>>();
  const kept = new Store<OtherResource>((change, object) => {
    const { namespace = "", name } = object.metadata;
    const those = byNamespace.get(namespace) ?? new Map<string, OtherResource>();
    if (change === "deleted") those.delete(keyText({ namespace, name }));
    else byNamespace.set(namespace, those.set(keyText({ namespace, name }), object));
    if (those.size === 0) byNamespace.delete(namespace);
    changed(namespace);
  });
  return {
    of: (namespace) => (isListed ? [...(byNamespace.get(namespace)?.values() ?? [])] : undefined),
    ...mapped(kept, brief),
    relisted: () => {
      // Later lists are compared with the stored objects.
      if (isListed) return;
      isListed = true;
      changed(undefined);
    },
  };
}

/** Pods of a server have fewer labels, so a selector with this many cannot select them. */
const maxLabels = 64;

function shortSelector(selector: Record<string, string> = {}): Record<string, string> {
  const labels = Object.entries(selector);
  return labels.length > maxLabels ? Object.fromEntries(labels.slice(0, maxLabels)) : selector;
}

/** Returns only the fields that can cause conflicts: there can be thousands of Services. */
function brief(object: OtherResource): OtherResource {
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
  // An AuthorizationPolicy without a spec allows nothing.
  const { selector, targetRef, targetRefs, action, rules }: Partial<AuthorizationPolicy["spec"]> = object.spec ?? {};
  const targets = [...(targetRefs ?? []).slice(0, maxLabels), ...(targetRef ? [targetRef] : [])];
  const spec = {
    ...(selector && { selector: { matchLabels: shortSelector(selector.matchLabels) } }),
    ...(targets[0] && { targetRefs: targets }),
    ...(action && { action }),
    // Only whether there is a rule.
    ...(rules?.[0] && { rules: [{}] }),
  };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, spec };
}
