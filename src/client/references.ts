import { type Key, type KubeObject, keyOf, keyText } from "../kube/object.ts";
import type { Sink } from "./sink.ts";

/** The content of the objects of one kind that servers name in their specs, each fetched once per version. */
export interface References<T extends KubeObject> extends Required<Pick<Sink<KubeObject>, "changed" | "relisted">> {
  /** The content, or undefined where there is none; `reader` is told when it changes. Throws what the fetch throws. */
  read(namespace: string, name: string, reader: Key): Promise<T | undefined>;
  /** Tells those who read this object: another watch saw it change. */
  touched(namespace: string, name: string): void;
  /** `reader` reads these (as `keyText`) and nothing else. What nobody reads any more is forgotten. */
  keepOnly(reader: Key, read: ReadonlySet<string>): void;
  /** How many objects somebody reads. */
  size(): number;
}

export interface ReferenceSource<T> {
  /** What another watch has of this object: asked first. It tells its changes by `touched`. */
  held(namespace: string, name: string): T | undefined;
  /** GET; undefined for 404. */
  fetch(namespace: string, name: string): Promise<T | undefined>;
  /** Told for each reader of what has changed, or may have. */
  changed(reader: Key): void;
}

interface Reference<T> {
  /** As `keyText`. */
  readonly readers: Set<string>;
  /** Absent until somebody reads it after a change. */
  content: Promise<T | undefined> | undefined;
  /** Version of the content once it has arrived, 0 where there is no such object. */
  version: number | undefined;
  /** Newest version that the watch has told since the content was asked for. */
  told: number | undefined;
}

/** Objects that nobody reads cost nothing: their events are looked up and forgotten. */
export function references<T extends KubeObject>(source: ReferenceSource<T>): References<T> {
  const byId = new Map<string, Reference<T>>();

  function invalidate(reference: Reference<T>): void {
    reference.content = undefined;
    reference.version = undefined;
    for (const reader of reference.readers) source.changed(keyOf(reader));
  }

  function referenceTo(id: string): Reference<T> {
    const known = byId.get(id);
    if (known !== undefined) return known;
    const reference = { readers: new Set<string>(), content: undefined, version: undefined, told: undefined };
    byId.set(id, reference);
    return reference;
  }

  async function fetched(reference: Reference<T>, namespace: string, name: string): Promise<T | undefined> {
    const content = source.fetch(namespace, name);
    reference.content = content;
    reference.told = undefined;
    try {
      const object = await content;
      // Invalidated meanwhile: good enough for this reader, who has been told to come again, and for nobody else.
      if (reference.content !== content) return object;
      reference.version = object === undefined ? 0 : versionOf(object);
      if (reference.told !== undefined && !(reference.told <= reference.version)) invalidate(reference);
      return object;
    } catch (error) {
      if (reference.content === content) reference.content = undefined;
      throw error;
    }
  }

  return {
    read: async (namespace, name, reader) => {
      const reference = referenceTo(keyText({ namespace, name }));
      reference.readers.add(keyText(reader));
      return source.held(namespace, name) ?? (await (reference.content ?? fetched(reference, namespace, name)));
    },
    touched: (namespace, name) => {
      const reference = byId.get(keyText({ namespace, name }));
      if (reference !== undefined) invalidate(reference);
    },
    keepOnly: (reader, read) => {
      const text = keyText(reader);
      for (const [id, { readers }] of byId) {
        if (!read.has(id) && readers.delete(text) && readers.size === 0) byId.delete(id);
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
    relisted: () => {
      for (const reference of byId.values()) invalidate(reference);
    },
    size: () => byId.size,
  };
}

function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion);
}
