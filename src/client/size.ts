/**
 * Estimates the bytes that a JSON value takes in memory: twelve for each value and name, and one for each character. Stops
 * as soon as the result exceeds `most`.
 */
export function sizeOf(value: unknown, most = Number.POSITIVE_INFINITY): number {
  if (typeof value === "string") return 12 + value.length;
  if (typeof value !== "object" || value === null) return 12;
  let size = 12;
  for (const [name, item] of Object.entries(value)) {
    size += 12 + name.length + sizeOf(item, most - size);
    if (size > most) return size;
  }
  return size;
}
