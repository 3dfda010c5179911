import type { Change, EventHandler, Listing } from "../kube/client/event-handler.ts";
import { type Key, type KubeObject, keyOf, keyText } from "../kube/object.ts";
import { type Content, type ContentSummary, reduced } from "../model/content.ts";
import { sizeOf } from "./trimmed.ts";

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

/**
 * Cache of the objects of one kind that specs of servers reference. Each version is fetched once. Objects without a reader are not
 * cached: their events are dropped.
 */
export class References<T extends KubeObject & Content> implements EventHandler<KubeObject> {
  readonly #source: ReferenceSource<T>;
  readonly #limits: ReferenceLimits;
  readonly #byId = new Map<string, Reference<T>>();
  #totalBytes = 0;
  #fetches = 0;
  readonly #waiting: (() => void)[] = [];
  /** The completed list was compared with the cached versions. */
  #isCompared = false;

  constructor(source: ReferenceSource<T>) {
    this.#source = source;
    this.#limits = source.limits ?? defaultLimits;
  }

  /**
   * Returns the values of these keys, the names of the others and a digest of all; undefined if the object does not exist. A change of the
   * object is reported for `reader`. Throws the errors of the fetch.
   */
  async read(
    namespace: string,
    name: string,
    reader: Key,
    keys: ReadonlySet<string> = new Set(),
  ): Promise<(T & ContentSummary) | undefined> {
    const reference = this.#referenceTo(keyText({ namespace, name }));
    reference.readers.add(keyText(reader));
    const { content } = reference;
    return content === undefined || [...keys].some((key) => !reference.keys.has(key))
      ? await this.#fetched(reference, namespace, name, keys)
      : await content;
  }

  /** Invalidates this object after an event of another watch. */
  touched(namespace: string, name: string): void {
    const reference = this.#byId.get(keyText({ namespace, name }));
    if (reference !== undefined) this.#invalidate(reference);
  }

  /** Sets the objects (as `keyText`) that `reader` reads. Objects without a reader are removed. */
  keepOnly(reader: Key, read: ReadonlySet<string>): void {
    const text = keyText(reader);
    for (const [id, reference] of this.#byId) {
      if (read.has(id) || !reference.readers.delete(text) || reference.readers.size > 0) continue;
      this.#drop(reference);
      this.#byId.delete(id);
    }
  }

  /** Number of objects with a reader. */
  size(): number {
    return this.#byId.size;
  }

  changed(change: Change, object: KubeObject): void {
    const { namespace = "", name } = object.metadata;
    const reference = this.#byId.get(keyText({ namespace, name }));
    if (reference === undefined) return;
    const { content, version } = reference;
    if (content !== undefined && version === undefined) reference.watchedVersion = versionOf(object);
    else if (version === 0 && change === "deleted") return;
    else if (version === undefined || !(versionOf(object) <= version)) this.#invalidate(reference);
  }

  /** Without references only the resource version of the list is needed. */
  listing(): Listing<KubeObject> | undefined {
    if (this.#byId.size === 0) return undefined;
    const seen = new Set<string>();
    return {
      item: (object) => {
        const { namespace = "", name } = object.metadata;
        const id = keyText({ namespace, name });
        const reference = this.#byId.get(id);
        if (reference === undefined) return;
        seen.add(id);
        const { content, version } = reference;
        if (content !== undefined && version === undefined) reference.watchedVersion = versionOf(object);
        else if (version !== undefined && !(versionOf(object) <= version)) this.#invalidate(reference);
      },
      complete: (resourceVersion) => this.#compare(seen, Number(resourceVersion)),
    };
  }

  relisted(): void {
    if (!this.#isCompared) for (const reference of this.#byId.values()) this.#invalidate(reference);
    this.#isCompared = false;
  }

  /** Invalidates objects that a complete list does not have. */
  #compare(seen: ReadonlySet<string>, listVersion: number): void {
    this.#isCompared = true;
    for (const [id, reference] of this.#byId) {
      if (seen.has(id)) continue;
      const { content, version } = reference;
      // A fetch in progress can be older than the list.
      if (content !== undefined && version === undefined) reference.watchedVersion = listVersion;
      else if (version !== undefined && version !== 0 && !(version > listVersion)) this.#invalidate(reference);
    }
  }

  #drop(reference: Reference<T>): void {
    this.#totalBytes -= reference.bytes;
    reference.bytes = 0;
    reference.content = undefined;
  }

  #invalidate(reference: Reference<T>): void {
    this.#drop(reference);
    reference.version = undefined;
    for (const reader of reference.readers) this.#source.changed(keyOf(reader));
  }

  #referenceTo(id: string): Reference<T> {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const reference = {
      ...{ readers: new Set<string>(), keys: new Set<string>() },
      ...{ content: undefined, version: undefined, watchedVersion: undefined, bytes: 0 },
    };
    this.#byId.set(id, reference);
    return reference;
  }

  /** Fetches an object and returns only the values of these keys, so that the whole content is in memory only during the fetch. */
  async #part(namespace: string, name: string, keys: ReadonlySet<string>): Promise<(T & ContentSummary) | undefined> {
    if (this.#fetches >= maxFetches) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#fetches += 1;
    try {
      const object = await this.#source.fetch(namespace, name);
      return object === undefined ? undefined : reduced(object, keys);
    } finally {
      this.#fetches -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #fetched(
    reference: Reference<T>,
    namespace: string,
    name: string,
    keys: ReadonlySet<string>,
  ): Promise<(T & ContentSummary) | undefined> {
    for (const key of keys) reference.keys.add(key);
    const content = this.#part(namespace, name, new Set(reference.keys));
    this.#drop(reference);
    reference.content = content;
    reference.version = undefined;
    reference.watchedVersion = undefined;
    try {
      const object = await content;
      // Invalidated during the fetch: this reader gets it, since its server has been enqueued again, but it is not cached.
      if (reference.content !== content) return object;
      reference.version = object === undefined ? 0 : versionOf(object);
      this.#hold(reference, object);
      if (reference.watchedVersion !== undefined && !(reference.watchedVersion <= reference.version))
        this.#invalidate(reference);
      return object;
    } catch (error) {
      if (reference.content === content) reference.content = undefined;
      throw error;
    }
  }

  #hold(reference: Reference<T>, object: T | undefined): void {
    const size = object === undefined ? 0 : sizeOf(object);
    if (size > this.#limits.ofOne || this.#totalBytes + size > this.#limits.ofAll) {
      reference.content = undefined;
      return;
    }
    reference.bytes = size;
    this.#totalBytes += size;
  }
}

function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion);
}
