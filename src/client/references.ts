import { type Key, type KubeObject, keyOf, keyText } from "../kube/object.ts";
import { type Content, type ContentSummary, reduced } from "../resources/content.ts";
import type { Sink } from "./sink.ts";
import { sizeOf } from "./size.ts";

/** The content of the objects of one kind that servers name in their specs, each fetched once per version. */
export interface References<T extends KubeObject & Content>
  extends Required<Pick<Sink<KubeObject>, "changed" | "relisted" | "listing">> {
  /**
   * The values of these keys, the names of the others and a digest of all; undefined where there is no such object. `reader`
   * is told when it changes. Throws what the fetch throws.
   */
  read(
    namespace: string,
    name: string,
    reader: Key,
    keys?: ReadonlySet<string>,
  ): Promise<(T & ContentSummary) | undefined>;
  /** Tells those who read this object: another watch saw it change. */
  touched(namespace: string, name: string): void;
  /** `reader` reads these (as `keyText`) and nothing else. What nobody reads any more is forgotten. */
  keepOnly(reader: Key, read: ReadonlySet<string>): void;
  /** How many objects somebody reads. */
  size(): number;
}

export interface ReferenceSource<T> {
  /** GET; undefined for 404. */
  fetch(namespace: string, name: string): Promise<T | undefined>;
  /** Told for each reader of what has changed, or may have. */
  changed(reader: Key): void;
  /** How much may be held between passes, of one object and of all; the rest is fetched again by each pass. */
  readonly limits?: ReferenceLimits;
}

export interface ReferenceLimits {
  readonly ofOne: number;
  readonly ofAll: number;
}

const defaultLimits: ReferenceLimits = { ofOne: 64 * 2 ** 10, ofAll: 16 * 2 ** 20 };

/** How many objects are fetched at once: each may have a megabyte. */
const mostFetches = 4;

interface Reference<T> {
  /** As `keyText`. */
  readonly readers: Set<string>;
  /** Whose values are held. */
  readonly keys: Set<string>;
  /** Absent until somebody reads it after a change. */
  content: Promise<(T & ContentSummary) | undefined> | undefined;
  /** Version of the content once it has arrived, 0 where there is no such object. */
  version: number | undefined;
  /** Newest version that the watch has told since the content was asked for. */
  told: number | undefined;
  /** How much is held. */
  held: number;
}

/** Objects that nobody reads cost nothing: their events are looked up and forgotten. */
export function references<T extends KubeObject & Content>(source: ReferenceSource<T>): References<T> {
  const byId = new Map<string, Reference<T>>();
  const limits = source.limits ?? defaultLimits;
  let held = 0;
  let fetches = 0;
  const waiting: (() => void)[] = [];
  /** The list that has just been complete has been compared with what is held. */
  let isCompared = false;

  function drop(reference: Reference<T>): void {
    held -= reference.held;
    reference.held = 0;
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
      ...{ content: undefined, version: undefined, told: undefined, held: 0 },
    };
    byId.set(id, reference);
    return reference;
  }

  /** Whole contents are in memory one at a time for each fetch, and no longer. */
  async function part(
    namespace: string,
    name: string,
    keys: ReadonlySet<string>,
  ): Promise<(T & ContentSummary) | undefined> {
    if (fetches >= mostFetches) await new Promise<void>((resolve) => waiting.push(resolve));
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
    reference.told = undefined;
    try {
      const object = await content;
      // Invalidated meanwhile: good enough for this reader, who has been told to come again, and for nobody else.
      if (reference.content !== content) return object;
      reference.version = object === undefined ? 0 : versionOf(object);
      hold(reference, object);
      if (reference.told !== undefined && !(reference.told <= reference.version)) invalidate(reference);
      return object;
    } catch (error) {
      if (reference.content === content) reference.content = undefined;
      throw error;
    }
  }

  function hold(reference: Reference<T>, object: T | undefined): void {
    const size = object === undefined ? 0 : sizeOf(object);
    if (size > limits.ofOne || held + size > limits.ofAll) {
      reference.content = undefined;
      return;
    }
    reference.held = size;
    held += size;
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
      if (content !== undefined && version === undefined) reference.told = versionOf(object);
      else if (version === 0 && change === "deleted") return;
      else if (version === undefined || !(versionOf(object) <= version)) invalidate(reference);
    },
    // Without references the list is no more than the question where to begin.
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
          if (content !== undefined && version === undefined) reference.told = versionOf(object);
          else if (version !== undefined && !(versionOf(object) <= version)) invalidate(reference);
        },
        complete: (resourceVersion) => {
          isCompared = true;
          for (const [id, reference] of byId) {
            if (seen.has(id)) continue;
            const { content, version } = reference;
            // What is on its way may be older than the list.
            if (content !== undefined && version === undefined) reference.told = Number(resourceVersion);
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
