import type { EventHandler, Listing } from "../kube/client/event-handler.ts";
import type { Store } from "../kube/client/store.ts";
import type { KubeObject } from "../kube/object.ts";

/** Returns a handler that writes `map` of each object to the store. */
export function mapped<T extends KubeObject>(
  store: Store<T>,
  map: (object: T) => T,
): Required<Omit<EventHandler<T>, "listing" | "relisted">> & { listing(): Listing<T> } {
  return {
    reached: store.reached,
    changed: (change, object) => store.changed(change, map(object)),
    listing: () => {
      const listing = store.listing();
      return {
        item: (object) => listing.item(map(object)),
        complete: (resourceVersion) => listing.complete(resourceVersion),
      };
    },
  };
}
