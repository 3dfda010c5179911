import { createHash } from "node:crypto";

/** The content of a Secret or ConfigMap. */
export interface Content {
  readonly data?: Record<string, string>;
  readonly binaryData?: Record<string, string>;
}

/** Digest and size of a Secret or ConfigMap of which only some values are cached; the other keys have an empty value. */
export interface ContentSummary {
  /** Digest of the whole content. */
  readonly digest?: string;
  /** Characters of all names and values. */
  readonly size?: number;
}

/** Returns a digest of the whole content, independent of the order of its keys. */
export function digestOf({ digest, data = {}, binaryData = {} }: Content & ContentSummary): string {
  if (digest !== undefined) return digest;
  const hash = createHash("sha256");
  for (const [field, values] of [
    ["data", data],
    ["binaryData", binaryData],
  ] as const) {
    const keys = Object.keys(values).sort();
    hash.update(JSON.stringify([field, keys.length]));
    for (const key of keys) {
      const value = values[key] ?? "";
      hash.update(JSON.stringify([key, value.length])).update(value);
    }
  }
  return hash.digest("base64");
}

/** Returns the size of the content in characters. */
export function contentSize({ size, data = {}, binaryData = {} }: Content & ContentSummary): number {
  if (size !== undefined) return size;
  return [...Object.entries(data), ...Object.entries(binaryData)].reduce(
    (sum, [key, value]) => sum + key.length + value.length,
    0,
  );
}

/** Returns the object with the values of these keys only, and digest and size of the whole content. */
export function reduced<T extends Content>(object: T, keys: ReadonlySet<string>): T & ContentSummary {
  const { data, binaryData } = object;
  return {
    ...object,
    digest: digestOf(object),
    size: contentSize(object),
    ...(data && { data: chosen(data, keys) }),
    ...(binaryData && { binaryData: chosen(binaryData, new Set()) }),
  };
}

function chosen(values: Record<string, string>, keys: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, keys.has(key) ? value : ""]));
}
