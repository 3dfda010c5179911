export type Change = "added" | "modified" | "deleted";

/** Receives one list. Dropped without `complete` if the list is restarted. */
export interface Listing<T> {
  item(object: T): void;
  /** The list is complete: objects that are not in it no longer exist. */
  complete(resourceVersion: string): void;
}

/** Receives the objects of a list-watch. */
export interface EventHandler<T> {
  /**
   * Begins a list. Undefined if no item is needed: then the list only determines the resource version at which the watch
   * begins.
   */
  listing?(): Listing<T> | undefined;
  /** Called after each list: any object can have changed without an event. */
  relisted?(): void;
  changed(change: Change, object: T): void;
  /** All changes up to this resource version have been delivered. */
  reached?(resourceVersion: string): void;
}
