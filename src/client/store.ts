import { isDeepStrictEqual } from "node:util";
import { isKind, rowOf } from "../kube/kinds.ts";
import { label } from "../kube/names.ts";
import { type Key, type KubeObject, keyText } from "../kube/object.ts";
import type { Change, Listing, Sink } from "./sink.ts";

/** Told of a change after the store has it; `before` is what the store had. */
export type OnChange<T> = (change: Change, object: T, before: T | undefined) => void;

/** The objects of one kind that one list-watch delivers, by name and by the server that they belong to. */
export interface Store<T extends KubeObject> extends Required<Omit<Sink<T>, "relisted" | "listing">> {
  listing(): Listing<T>;
  get(key: Key): T | undefined;
  /** Those labelled with the server of this key. */
  ofServer(key: Key): T[];
  /** Those in a namespace; only where the store was made to tell. */
  inNamespace(namespace: string): T[];
  all(): Iterable<T>;
  /**
   * Records the answer to a write of ours, so that a pass that starts before the watch tells of it sees it. The answer to
   * a `created` is nobody else's change, so its echo is not told.
   */
  wrote(object: T, created: boolean): void;
  /** Takes in an object as it has just been read, of which the content was left out. Nothing is told. */
  filled(object: T): void;
  /** Records that the API server has deleted this very object. */
  removed(object: T): void;
}

/**
 * A write that the watch has not told yet. Until it does, the watch may tell older versions: they are not taken, but
 * told, because what they changed has been part of the answer, and no pass may have seen it.
 */
type Awaited =
  | { readonly gone: false; readonly version: number; readonly created: boolean }
  | { readonly gone: true; readonly uid: string | undefined };

export interface StoreOptions {
  /** Whether objects can be had by namespace. */
  readonly byNamespace?: boolean;
  /** The API server may show an object otherwise though it has not changed, when its definition does. */
  readonly isCustom?: boolean;
}

export function store<T extends KubeObject>(
  onChange: OnChange<T>,
  { byNamespace = false, isCustom = false }: StoreOptions = {},
): Store<T> {
  const items = new Map<string, T>();
  /** By the server's `namespace/name`, and by `namespace/`. */
  const index = new Map<string, Set<string>>();
  const awaited = new Map<string, Awaited>();
  /** The resource version up to which the watch has told all. */
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
    const write = awaited.get(id);
    if (write?.gone && write.uid === object.metadata.uid) {
      if (change === "deleted") awaited.delete(id);
      return;
    }
    if (write !== undefined && !write.gone && versionOf(object) < write.version) {
      onChange("modified", object, before);
      return;
    }
    awaited.delete(id);
    if (change === "deleted") {
      if (take(id) !== undefined) onChange("deleted", object, before);
      return;
    }
    const same =
      before !== undefined &&
      before.metadata.resourceVersion === object.metadata.resourceVersion &&
      !(isCustom && !isDeepStrictEqual(before, object));
    if (same && (write === undefined || write.gone || write.created)) return;
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
      const write = awaited.get(id);
      if (!(version > position) || (write !== undefined && !write.gone && !(version > write.version))) return;
      put(id, object);
      awaited.set(id, { gone: false, version, created });
    },
    filled: (object) => {
      const id = idOf(object);
      if (items.has(id)) put(id, object);
    },
    removed: (object) => {
      const id = idOf(object);
      if (items.get(id)?.metadata.uid !== object.metadata.uid) return;
      take(id);
      awaited.set(id, { gone: true, uid: object.metadata.uid });
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
      // The list is of a later moment than every write that has been answered.
      awaited.clear();
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
            const write = awaited.get(id);
            if (write !== undefined && !write.gone && write.version > position) continue;
            const before = take(id);
            try {
              if (before !== undefined) onChange("deleted", before, before);
            } catch (error) {
              errors.push(error);
            }
          }
          // Only once all that are gone have been told.
          if (errors.length > 0) throw errors[0];
        },
      };
    },
  };
}

function idOf({ metadata }: KubeObject): string {
  return keyText({ namespace: metadata.namespace ?? "", name: metadata.name });
}

/** The server that an object is labelled with: one of its own namespace, unless its kind may reach farther. */
export function serverKeyOf({ kind, metadata }: KubeObject): Key | undefined {
  const name = metadata.labels?.[label.server] ?? metadata.labels?.[label.waypoint];
  if (name === undefined) return undefined;
  const far = isKind(kind) && rowOf(kind).isFarReaching === true ? metadata.labels?.[label.serverNamespace] : undefined;
  return { namespace: far ?? metadata.namespace ?? "", name };
}

function serverOf(object: KubeObject): [string] | undefined {
  const key = serverKeyOf(object);
  return key === undefined ? undefined : [keyText(key)];
}

/**
 * Resource versions are compared only among objects of one kind, where they are integers that grow (Kubernetes, "API
 * concepts: resource versions"). Where they are not, every comparison is false and the watch alone counts.
 */
function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion);
}
