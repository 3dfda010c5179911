import { createHash } from "node:crypto";

/** Longer texts are held as a digest. */
const longest = 4096;
/** No Secret has it, since its values are base64; a text that begins with it is always held as a digest. */
const mark = "\u0000sha256:";

/**
 * What the cache holds of a text of a Secret or ConfigMap that the operator only compares with what it wants: the text
 * itself, or its digest where it is long, so that nobody fills the operator's memory by it.
 */
export function condensed(text: string): string {
  if (text.length <= longest && !text.startsWith(mark)) return text;
  return `${mark}${createHash("sha256").update(text).digest("hex")}`;
}

/** Whether a text that the cache holds is this one. */
export function isText(held: unknown, wanted: unknown): boolean {
  if (held === wanted) return true;
  return isCondensed(held) && typeof wanted === "string" && condensed(wanted) === held;
}

/** Whether only a digest is held: the text cannot be read. */
export function isCondensed(held: unknown): boolean {
  return typeof held === "string" && held.startsWith(mark);
}
