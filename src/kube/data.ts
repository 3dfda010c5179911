import { createHash } from "node:crypto";

/** Returns a value of a Secret as text; undefined if the key is missing. */
export function decoded(data: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  const value = data?.[key];
  return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
}

/** Returns only the values that are known. */
export function known<K extends string>(values: Readonly<Record<K, string | undefined>>): { [key in K]?: string } {
  const found: { [key in K]?: string } = {};
  for (const key in values) if (values[key] !== undefined) found[key] = values[key];
  return found;
}

/** Returns text values as the data of a Secret. */
export function encoded(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
}

/** Longer texts are stored as a digest. */
const longest = 4096;
/** No value of a Secret begins with it, since it is not base64; a text that does is always stored as a digest. */
const mark = "\u0000sha256:";

/**
 * The form in which the cache stores a text of a Secret or ConfigMap that the operator only compares: the text
 * itself, or its digest if it is long, so that large objects do not fill the operator's memory.
 */
export function condensed(text: string): string {
  if (text.length <= longest && !text.startsWith(mark)) return text;
  return `${mark}${createHash("sha256").update(text).digest("hex")}`;
}

/** Whether a text in the cache equals this one. */
export function isText(cached: unknown, desired: unknown): boolean {
  if (cached === desired) return true;
  return isCondensed(cached) && typeof desired === "string" && condensed(desired) === cached;
}

/** Whether the cache has only the digest: the text cannot be read. */
export function isCondensed(cached: unknown): boolean {
  return typeof cached === "string" && cached.startsWith(mark);
}
