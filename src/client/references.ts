import type { EventHandler } from "../kube/client/event-handler.ts";
import { type Key, type KubeObject, keyOf, keyText } from "../kube/object.ts";
import { type Content, type ContentSummary, reduced } from "../model/content.ts";
import { sizeOf } from "./trimmed.ts";

/** Cache of the objects of one kind that specs of servers reference. Each version is fetched once. */
export interface References<T extends KubeObject & Content>
  extends Required<Pick<EventHandler<KubeObject>, "changed" | "relisted" | "listing">> {
  /**
   * Returns the values of these keys, the names of the others and a digest of all; undefined if the object does not exist. A change of the
   * object is reported for `reader`. Throws the errors of the fetch.
   */
  read(
    namespace: string,
    name: string,
    reader: Key,
    keys?: ReadonlySet<string>,
  ): Promise<(T & ContentSummary) | undefined>;
  /** Invalidates this object after an event of another watch. */
  touched(namespace: string, name: string): void;
  /** Sets the objects (as `keyText`) that `reader` reads. Objects without a reader are removed. */
  keepOnly(reader: Key, read: ReadonlySet<string>): void;
  /** Number of objects with a reader. */
  size(): number;
}

export interface ReferenceSource<T> {
  /** GET; undefined for 404. */
  fetch(namespace: string, name: string): Promise<T | undefined>;
  /** Called for each reader of an object that has changed or may have changed. */
  changed(reader: Key): void;
  /** Size limits of the cached content, of one object and of all. Other objects are fetched by each reconciliation. */
  readonly limits?: ReferenceLimits;
}

export interface ReferenceLimits {
  readonly ofOne: number;
  readonly ofAll: number;
}

const defaultLimits: ReferenceLimits = { ofOne: 64 * 2 ** 10, ofAll: 16 * 2 ** 20 };

/** Limit of concurrent fetches: an object can have a megabyte. */
const maxFetches = 4;

interface Reference<T> {
  /** As `keyText`. */
  readonly readers: Set<string>;
  /** Keys whose values are cached. */
  readonly keys: Set<string>;
  /** Undefined until it is read after a change. */
  content: Promise<(T & ContentSummary) | undefined> | undefined;
  /** Version of the fetched content, 0 if the object does not exist. */
  version: number | undefined;
  /** Newest version from the watch since the fetch began. */
  watchedVersion: number | undefined;
  /** Size of the cached content. */
  bytes: number;
}

/** Objects without a reader are not cached: their events are dropped. */
export function references<T extends KubeObject & Content>(source: ReferenceSource<T>): References<T> {
  const byId = new Map<string, Reference<T>>();
  const limits = source.limits ?? defaultLimits;
  let totalBytes = 0;
  let fetches = 0;
  const waiting: (() => void)[] = [];
  /** The completed list was compared with the cached versions. */
  let isCompared = false;

  function drop(reference: Reference<T>): void {
    totalBytes -= reference.bytes;
    reference.bytes = 0;
    reference.content = undefined;
  }

  function invalidate(reference: Reference<T>): void {
    drop(reference);
    reference.version = undefined;
    for (const reader of reference.readers) source.changed(keyOf(reader));
  }

  function referenceTo(id: string): Reference<T> {
    const known = byId.get(id);
    if (known !== undefined) return known;
    const reference = {
      ...{ readers: new Set<string>(), keys: new Set<string>() },
      ...{ content: undefined, version: undefined, watchedVersion: undefined, bytes: 0 },
    };
    byId.set(id, reference);
    return reference;
  }

  /** Fetches an object and returns only the values of these keys, so that the whole content is in memory only during the fetch. */
  async function part(
    namespace: string,
    name: string,
    keys: ReadonlySet<string>,
  ): Promise<(T & ContentSummary) | undefined> {
    if (fetches >= maxFetches) await new Promise<void>((resolve) => waiting.push(resolve));
    fetches += 1;
    try {
      const object = await source.fetch(namespace, name);
      return object === undefined ? undefined : reduced(object, keys);
    } finally {
      fetches -= 1;
      waiting.shift()?.();
    }
  }

  async function fetched(
    reference: Reference<T>,
    namespace: string,
    name: string,
    keys: ReadonlySet<string>,
  ): Promise<(T & ContentSummary) | undefined> {
    for (const key of keys) reference.keys.add(key);
    const content = part(namespace, name, new Set(reference.keys));
    drop(reference);
    reference.content = content;
    reference.version = undefined;
    reference.watchedVersion = undefined;
    try {
      const object = await content;
      // Invalidated during the fetch: this reader gets it, since its server has been enqueued again, but it is not cached.
      if (reference.content !== content) return object;
      reference.version = object === undefined ? 0 : versionOf(object);
      hold(reference, object);
      if (reference.watchedVersion !== undefined && !(reference.watchedVersion <= reference.version))
        invalidate(reference);
      return object;
    } catch (error) {
      if (reference.content === content) reference.content = undefined;
      throw error;
    }
  }

  function hold(reference: Reference<T>, object: T | undefined): void {
    const size = object === undefined ? 0 : sizeOf(object);
    if (size > limits.ofOne || totalBytes + size > limits.ofAll) {
      reference.content = undefined;
      return;
    }
    reference.bytes = size;
    totalBytes += size;
  }

  return {
    read: async (namespace, name, reader, keys = new Set()) => {
      const reference = referenceTo(keyText({ namespace, name }));
      reference.readers.add(keyText(reader));
      const { content } = reference;
      return content === undefined || [...keys].some((key) => !reference.keys.has(key))
        ? await fetched(reference, namespace, name, keys)
        : await content;
    },
    touched: (namespace, name) => {
      const reference = byId.get(keyText({ namespace, name }));
      if (reference !== undefined) invalidate(reference);
    },
    keepOnly: (reader, read) => {
      const text = keyText(reader);
      for (const [id, reference] of byId) {
        if (read.has(id) || !reference.readers.delete(text) || reference.readers.size > 0) continue;
        drop(reference);
        byId.delete(id);
      }
    },
    changed: (change, object) => {
      const { namespace = "", name } = object.metadata;
      const reference = byId.get(keyText({ namespace, name }));
      if (reference === undefined) return;
      const { content, version } = reference;
      if (content !== undefined && version === undefined) reference.watchedVersion = versionOf(object);
      else if (version === 0 && change === "deleted") return;
      else if (version === undefined || !(versionOf(object) <= version)) invalidate(reference);
    },
    // Without references only the resource version of the list is needed.
    listing: () => {
      if (byId.size === 0) return undefined;
      const seen = new Set<string>();
      return {
        item: (object) => {
          const { namespace = "", name } = object.metadata;
          const id = keyText({ namespace, name });
          const reference = byId.get(id);
          if (reference === undefined) return;
          seen.add(id);
          const { content, version } = reference;
          if (content !== undefined && version === undefined) reference.watchedVersion = versionOf(object);
          else if (version !== undefined && !(versionOf(object) <= version)) invalidate(reference);
        },
        complete: (resourceVersion) => {
          isCompared = true;
          for (const [id, reference] of byId) {
            if (seen.has(id)) continue;
            const { content, version } = reference;
            // A fetch in progress can be older than the list.
            if (content !== undefined && version === undefined) reference.watchedVersion = Number(resourceVersion);
            else if (version !== undefined && version !== 0 && !(version > Number(resourceVersion)))
              invalidate(reference);
          }
        },
      };
    },
    relisted: () => {
      if (!isCompared) for (const reference of byId.values()) invalidate(reference);
      isCompared = false;
    },
    size: () => byId.size,
  };
}

function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion);
}
