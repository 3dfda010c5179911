import { createHash } from "node:crypto";

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
export function isText(held: unknown, wanted: unknown): boolean {
  if (held === wanted) return true;
  return isCondensed(held) && typeof wanted === "string" && condensed(wanted) === held;
}

/** Whether the cache has only the digest: the text cannot be read. */
export function isCondensed(held: unknown): boolean {
  return typeof held === "string" && held.startsWith(mark);
}
