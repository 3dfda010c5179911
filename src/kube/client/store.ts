import { isDeepStrictEqual } from "node:util";
import { type Key, type KubeObject, keyText } from "../object.ts";
import type { Change, EventHandler, Listing } from "./event-handler.ts";

/** Called after the store has applied a change; `before` is the previous object. */
export type OnChange<T> = (change: Change, object: T, before: T | undefined) => void;

/**
 * A write without a watch event so far. Events of older versions are not stored, but
 * reported: their changes are part of the response to the write, and no reconciliation may have seen them.
 */
type PendingWrite =
  | { readonly isGone: false; readonly version: number; readonly created: boolean }
  | { readonly isGone: true; readonly uid: string | undefined };

export interface StoreOptions<T> {
  /** The entries of the index under which an object is found by {@link Store.indexed}. */
  readonly indexesOf?: (object: T) => readonly string[];
  /** A custom resource: the API server can return an unchanged object differently after its definition changed. */
  readonly isCustom?: boolean;
}

/** The objects of one kind from one list-watch, by name and by an index. Its methods can be used without it. */
export class Store<T extends KubeObject> implements EventHandler<T> {
  readonly #onChange: OnChange<T>;
  readonly #indexesOf: (object: T) => readonly string[];
  readonly #isCustom: boolean;
  readonly #items = new Map<string, T>();
  readonly #index = new Map<string, Set<string>>();
  readonly #pendingWrites = new Map<string, PendingWrite>();
  /** The resource version up to which the watch has delivered all changes. */
  #position = Number.NaN;

  constructor(onChange: OnChange<T>, { indexesOf = () => [], isCustom = false }: StoreOptions<T> = {}) {
    this.#onChange = onChange;
    this.#indexesOf = indexesOf;
    this.#isCustom = isCustom;
  }

  readonly get = (key: Key): T | undefined => this.#items.get(keyText(key));

  readonly all = (): Iterable<T> => this.#items.values();

  /** The objects with this entry in the index. */
  readonly indexed = (entry: string): T[] => {
    const found: T[] = [];
    for (const id of this.#index.get(entry) ?? []) {
      const object = this.#items.get(id);
      if (object !== undefined) found.push(object);
    }
    return found;
  };

  /**
   * Stores the response to a write of the operator, so that a reconciliation sees it before the watch event. The watch event
   * of a `created` object contains no change by others, so it is not reported.
   */
  readonly wrote = (object: T, created: boolean): void => {
    const id = idOf(object);
    const version = versionOf(object);
    const write = this.#pendingWrites.get(id);
    if (!(version > this.#position) || (write !== undefined && !write.isGone && !(version > write.version))) return;
    this.#put(id, object);
    this.#pendingWrites.set(id, { isGone: false, version, created });
  };

  /** Stores the content of an object that was omitted. Not reported as a change. */
  readonly loaded = (object: T): void => {
    const id = idOf(object);
    if (this.#items.has(id)) this.#put(id, object);
  };

  /** Removes this object after the API server has deleted it. */
  readonly removed = (object: T): void => {
    const id = idOf(object);
    if (this.#items.get(id)?.metadata.uid !== object.metadata.uid) return;
    this.#take(id);
    this.#pendingWrites.set(id, { isGone: true, uid: object.metadata.uid });
  };

  readonly changed = (change: Change, object: T): void => {
    this.#position = versionOf(object);
    this.#receive(change, object);
  };

  readonly reached = (resourceVersion: string): void => {
    this.#position = Number(resourceVersion);
  };

  readonly listing = (): Listing<T> => {
    const seen = new Set<string>();
    // The list is newer than each completed write.
    this.#pendingWrites.clear();
    return {
      item: (object) => {
        seen.add(idOf(object));
        this.#receive("modified", object);
      },
      complete: (resourceVersion) => {
        this.#position = Number(resourceVersion);
        this.#removeExcept(seen);
      },
    };
  };

  /** Removes the objects that a list does not have, and reports their deletion. */
  #removeExcept(seen: ReadonlySet<string>): void {
    const errors: unknown[] = [];
    for (const id of this.#items.keys()) {
      if (seen.has(id)) continue;
      const write = this.#pendingWrites.get(id);
      if (write !== undefined && !write.isGone && write.version > this.#position) continue;
      const before = this.#take(id);
      try {
        if (before !== undefined) this.#onChange("deleted", before, before);
      } catch (error) {
        errors.push(error);
      }
    }
    // Thrown after all deletions have been reported.
    if (errors.length > 0) throw errors[0];
  }

  #receive(change: Change, object: T): void {
    const id = idOf(object);
    const before = this.#items.get(id);
    const write = this.#pendingWrites.get(id);
    if (write?.isGone && write.uid === object.metadata.uid) {
      if (change === "deleted") this.#pendingWrites.delete(id);
      return;
    }
    if (write !== undefined && !write.isGone && versionOf(object) < write.version) {
      this.#onChange("modified", object, before);
      return;
    }
    this.#pendingWrites.delete(id);
    if (change === "deleted") {
      if (this.#take(id) !== undefined) this.#onChange("deleted", object, before);
      return;
    }
    const same = this.#isSame(before, object);
    if (same && (write === undefined || write.isGone || write.created)) return;
    if (!same) this.#put(id, object);
    this.#onChange(before === undefined ? "added" : "modified", object, before);
  }

  #isSame(before: T | undefined, object: T): boolean {
    if (before?.metadata.resourceVersion !== object.metadata.resourceVersion) return false;
    return before !== undefined && !(this.#isCustom && !isDeepStrictEqual(before, object));
  }

  #put(id: string, object: T): void {
    const before = this.#items.get(id);
    if (before !== undefined) this.#unindex(id, before);
    this.#items.set(id, object);
    for (const entry of this.#indexesOf(object)) {
      const ids = this.#index.get(entry);
      if (ids === undefined) this.#index.set(entry, new Set([id]));
      else ids.add(id);
    }
  }

  #take(id: string): T | undefined {
    const object = this.#items.get(id);
    if (object === undefined) return undefined;
    this.#items.delete(id);
    this.#unindex(id, object);
    return object;
  }

  #unindex(id: string, object: T): void {
    for (const entry of this.#indexesOf(object)) {
      const ids = this.#index.get(entry);
      ids?.delete(id);
      if (ids?.size === 0) this.#index.delete(entry);
    }
  }
}

function idOf({ metadata }: KubeObject): string {
  return keyText({ namespace: metadata.namespace ?? "", name: metadata.name });
}

/**
 * Resource versions are compared only between objects of one kind, where they are increasing integers (Kubernetes, "API
 * concepts: resource versions"). If they are not integers, each comparison is false and only the watch is used.
 */
function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion);
}
