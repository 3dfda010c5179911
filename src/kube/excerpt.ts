/** Characters that are read for each character of the excerpt: most of a text can be white space. */
const readPerShown = 4;

/**
 * The beginning of a text of another program (a message of the kubelet, of a controller or of the API server), on
 * one line and without control characters. It is truncated first, since such a text has any length and can come from
 * a container registry. The result is a copy, so that it does not keep the whole text in memory.
 */
export function excerpt(text: unknown, longest = 300): string {
  if (typeof text !== "string") return "";
  const line = text
    .slice(0, longest * readPerShown)
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim();
  return line.length > longest || text.length > longest * readPerShown
    ? `${copy(line.slice(0, longest))}…`
    : copy(line);
}

/** The same without a full stop or ellipsis at the end, for use within a sentence. */
export function excerptWithoutStop(text: unknown, longest = 300): string {
  const line = excerpt(text, longest);
  let end = line.length;
  while (end > 0 && (line[end - 1] === "." || line[end - 1] === " ")) end -= 1;
  return line.slice(0, end);
}

/** A copy, since a slice shares the memory of the whole text. Half a surrogate pair becomes U+FFFD. */
export function copy(text: string): string {
  return Buffer.from(text).toString("utf8");
}
