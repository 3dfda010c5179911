/** A problem of a field, with the message of the API server (k8s.io/apimachinery, util/validation/field). */
export interface FieldProblem {
  /** Such as `spec.server.env[0].name`; empty for the whole document. */
  readonly field: string;
  /** Such as `Invalid value: "x": must be …`. */
  readonly body: string;
  /** Whether the API server stops here and does not evaluate the CEL rules. */
  readonly blocking: boolean;
  /** The API server does not report it yet, since it stops at others. */
  readonly isOfflineOnly?: boolean;
}

/** The path of a field of an object. */
export function child(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** The message for a value, quoted like the API server does: Go's %q for strings, nothing for objects and lists. */
export function invalid(value: unknown, detail: string): string {
  if (typeof value === "object") return `Invalid value: ${detail}`;
  return `Invalid value: ${typeof value === "string" ? goQuoted(value) : String(value)}: ${detail}`;
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** Go's strconv.Quote: characters that cannot be printed are escaped, with \x below 0x80 and \u above. */
export function goQuoted(text: string): string {
  const escaped = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const short = shortEscapes[character];
    if (short !== undefined) return short;
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    if (hex.length <= 2 && character < "\x80") return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}
