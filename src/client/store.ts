import { isDeepStrictEqual } from "node:util";
import { isKind, rowOf } from "../kube/kinds.ts";
import { label } from "../kube/names.ts";
import { type Key, type KubeObject, keyText } from "../kube/object.ts";
import type { Change, EventHandler, Listing } from "./event-handler.ts";

/** Called after the store has applied a change; `before` is the previous object. */
export type OnChange<T> = (change: Change, object: T, before: T | undefined) => void;

/** The objects of one kind from one list-watch, by name and by their server. */
export interface Store<T extends KubeObject> extends Required<Omit<EventHandler<T>, "relisted" | "listing">> {
  listing(): Listing<T>;
  get(key: Key): T | undefined;
  /** The objects with the label of this server. */
  ofServer(key: Key): T[];
  /** The objects in a namespace. Requires the option `byNamespace`. */
  inNamespace(namespace: string): T[];
  all(): Iterable<T>;
  /**
   * Stores the response to a write of the operator, so that a reconciliation sees it before the watch event. The watch event
   * of a `created` object contains no change by others, so it is not reported.
   */
  wrote(object: T, created: boolean): void;
  /** Stores the content of an object that was omitted. Not reported as a change. */
  loaded(object: T): void;
  /** Removes this object after the API server has deleted it. */
  removed(object: T): void;
}

/**
 * A write without a watch event so far. Events of older versions are not stored, but
 * reported: their changes are part of the response to the write, and no reconciliation may have seen them.
 */
type PendingWrite =
  | { readonly isGone: false; readonly version: number; readonly created: boolean }
  | { readonly isGone: true; readonly uid: string | undefined };

export interface StoreOptions {
  /** Indexes objects by namespace. */
  readonly byNamespace?: boolean;
  /** A custom resource: the API server can return an unchanged object differently after its definition changed. */
  readonly isCustom?: boolean;
}

export function store<T extends KubeObject>(
  onChange: OnChange<T>,
  { byNamespace = false, isCustom = false }: StoreOptions = {},
): Store<T> {
  const items = new Map<string, T>();
  /** By the server's `namespace/name`, and by `namespace/`. */
  const index = new Map<string, Set<string>>();
  const pendingWrites = new Map<string, PendingWrite>();
  /** The resource version up to which the watch has delivered all changes. */
  let position = Number.NaN;

  const entriesOf = (object: T) => [
    ...(serverOf(object) ?? []),
    ...(byNamespace ? [keyText({ namespace: object.metadata.namespace ?? "", name: "" })] : []),
  ];

  function put(id: string, object: T): void {
    const before = items.get(id);
    if (before !== undefined) unindex(id, before);
    items.set(id, object);
    for (const entry of entriesOf(object)) {
      const ids = index.get(entry);
      if (ids === undefined) index.set(entry, new Set([id]));
      else ids.add(id);
    }
  }

  function unindex(id: string, object: T): void {
    for (const entry of entriesOf(object)) {
      const ids = index.get(entry);
      ids?.delete(id);
      if (ids?.size === 0) index.delete(entry);
    }
  }

  function indexed(entry: string): T[] {
    const found: T[] = [];
    for (const id of index.get(entry) ?? []) {
      const object = items.get(id);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  function take(id: string): T | undefined {
    const object = items.get(id);
    if (object === undefined) return undefined;
    items.delete(id);
    unindex(id, object);
    return object;
  }

  function receive(change: Change, object: T): void {
    const id = idOf(object);
    const before = items.get(id);
    const write = pendingWrites.get(id);
    if (write?.isGone && write.uid === object.metadata.uid) {
      if (change === "deleted") pendingWrites.delete(id);
      return;
    }
    if (write !== undefined && !write.isGone && versionOf(object) < write.version) {
      onChange("modified", object, before);
      return;
    }
    pendingWrites.delete(id);
    if (change === "deleted") {
      if (take(id) !== undefined) onChange("deleted", object, before);
      return;
    }
    const same =
      before !== undefined &&
      before.metadata.resourceVersion === object.metadata.resourceVersion &&
      !(isCustom && !isDeepStrictEqual(before, object));
    if (same && (write === undefined || write.isGone || write.created)) return;
    if (!same) put(id, object);
    onChange(before === undefined ? "added" : "modified", object, before);
  }

  return {
    get: (key) => items.get(keyText(key)),
    ofServer: (key) => indexed(keyText(key)),
    inNamespace: (namespace) => indexed(keyText({ namespace, name: "" })),
    all: () => items.values(),
    wrote: (object, created) => {
      const id = idOf(object);
      const version = versionOf(object);
      const write = pendingWrites.get(id);
      if (!(version > position) || (write !== undefined && !write.isGone && !(version > write.version))) return;
      put(id, object);
      pendingWrites.set(id, { isGone: false, version, created });
    },
    loaded: (object) => {
      const id = idOf(object);
      if (items.has(id)) put(id, object);
    },
    removed: (object) => {
      const id = idOf(object);
      if (items.get(id)?.metadata.uid !== object.metadata.uid) return;
      take(id);
      pendingWrites.set(id, { isGone: true, uid: object.metadata.uid });
    },
    changed: (change, object) => {
      position = versionOf(object);
      receive(change, object);
    },
    reached: (resourceVersion) => {
      position = Number(resourceVersion);
    },
    listing: () => {
      const seen = new Set<string>();
      // The list is newer than each completed write.
      pendingWrites.clear();
      return {
        item: (object) => {
          seen.add(idOf(object));
          receive("modified", object);
        },
        complete: (resourceVersion) => {
          position = Number(resourceVersion);
          const errors: unknown[] = [];
          for (const id of items.keys()) {
            if (seen.has(id)) continue;
            const write = pendingWrites.get(id);
            if (write !== undefined && !write.isGone && write.version > position) continue;
            const before = take(id);
            try {
              if (before !== undefined) onChange("deleted", before, before);
            } catch (error) {
              errors.push(error);
            }
          }
          // Thrown after all deletions have been reported.
          if (errors.length > 0) throw errors[0];
        },
      };
    },
  };
}

function idOf({ metadata }: KubeObject): string {
  return keyText({ namespace: metadata.namespace ?? "", name: metadata.name });
}

/** Returns the server in the labels of an object: in its own namespace, unless the kind can belong to a server of another namespace. */
export function serverKeyOf({ kind, metadata }: KubeObject): Key | undefined {
  const name = metadata.labels?.[label.server] ?? metadata.labels?.[label.waypoint];
  if (name === undefined) return undefined;
  const far =
    isKind(kind) && rowOf(kind).isCrossNamespace === true ? metadata.labels?.[label.serverNamespace] : undefined;
  return { namespace: far ?? metadata.namespace ?? "", name };
}

function serverOf(object: KubeObject): [string] | undefined {
  const key = serverKeyOf(object);
  return key === undefined ? undefined : [keyText(key)];
}

/**
 * Resource versions are compared only between objects of one kind, where they are increasing integers (Kubernetes, "API
 * concepts: resource versions"). If they are not integers, each comparison is false and only the watch counts.
 */
function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion);
}
