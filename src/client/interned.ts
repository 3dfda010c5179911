/** Shorter texts cost less than to look for them. */
const shortest = 12;
/** Longer texts are remembered apart: of them a few are in all pods, such as a compressed program. */
const longest = 256;
/** So many characters of longer texts are remembered together, and none that is longer than this alone. */
const mostLong = 2 ** 20;
const longestOfAll = 2 ** 16;
/** Distinct texts that are remembered: far more than the objects of one version of the operator have in common. */
const most = 20_000;
/** What users store: never remembered here, since it would outlive its object. */
const content: ReadonlySet<string> = new Set(["data", "binaryData", "stringData"]);

const known = new Map<string, string>();

/**
 * The same value, with each short text in it replaced by the first one equal to it. Objects of many servers are alike in
 * almost all that they say, such as the names of a hundred variables; so it is held once. The content of Secrets and
 * ConfigMaps is left alone.
 */
export function interned<T>(value: T): T {
  if (typeof value === "string") return canonical(value);
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) value[index] = interned(item);
  } else if (typeof value === "object" && value !== null) {
    const fields: Record<string, unknown> = Object.assign(value);
    for (const [name, item] of Object.entries(fields)) {
      if (!content.has(name) && (typeof item === "object" || typeof item === "string")) fields[name] = interned(item);
    }
  }
  return value;
}

function canonical<T extends string>(text: T): T;
function canonical(text: string): string {
  if (text.length < shortest) return text;
  if (text.length > longest) return canonicalLong(text);
  const found = known.get(text);
  if (found !== undefined) return found;
  if (known.size >= most) known.clear();
  known.set(text, text);
  return text;
}

const knownLong = new Map<string, string>();
let charactersOfLong = 0;

function canonicalLong(text: string): string {
  if (text.length > longestOfAll) return text;
  const found = knownLong.get(text);
  if (found !== undefined) return found;
  if (charactersOfLong + text.length > mostLong) {
    knownLong.clear();
    charactersOfLong = 0;
  }
  charactersOfLong += text.length;
  knownLong.set(text, text);
  return text;
}

/** Longer ones, such as a RoleBinding with thousands of subjects, are not shared. */
const longestWhole = 2048;
const mostWholes = 4000;

const wholes = new Map<string, object>();

/** The first object or list that said the same. For what nobody changes: labels, subjects, references. */
export function shared<T extends object>(value: T): T;
export function shared(value: object): object {
  const key = JSON.stringify(value);
  if (key.length > longestWhole) return value;
  const found = wholes.get(key);
  if (found !== undefined) return found;
  if (wholes.size >= mostWholes) wholes.clear();
  wholes.set(key, value);
  return value;
}
