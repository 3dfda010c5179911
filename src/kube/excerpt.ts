/** Characters of a foreign text that are read at all, for each character that is shown: most of it may be white space. */
const readPerShown = 4;

/**
 * The beginning of a text that another program wrote (a message of the kubelet, of a controller or of the API server), on
 * one line and without control characters. It is cut before anything else reads it: such a text has any length, and its
 * writer may be a container registry. The result is a copy, so that it does not keep the whole text in memory.
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

/** Without the full stop and ellipsis at the end, so that the text can stand within a sentence. */
export function excerptWithoutStop(text: unknown, longest = 300): string {
  const line = excerpt(text, longest);
  let end = line.length;
  while (end > 0 && (line[end - 1] === "." || line[end - 1] === " ")) end -= 1;
  return line.slice(0, end);
}

/** A slice shares the memory of the text that it is of. Half a surrogate pair becomes U+FFFD. */
export function copy(text: string): string {
  return Buffer.from(text).toString("utf8");
}
