/** Shorter texts cost less memory than an entry in the map. */
const shortest = 12;
/** Longer texts have a separate map: a few of them are in all pods, such as a compressed program. */
const longest = 256;
/** Limits for longer texts: characters of all of them, and of one. */
const mostLong = 2 ** 21;
const longestOfAll = 2 ** 17;
/** Number of distinct texts: far more than the objects of one version of the operator share. */
const most = 20_000;
/** Fields with content of users: never interned, since the text would outlive its object. */
const content: ReadonlySet<string> = new Set(["data", "binaryData", "stringData"]);

const known = new Map<string, string>();

/**
 * Returns the same value with each short text in it replaced by the first equal one. Objects of many servers have almost
 * the same texts, such as the names of a hundred variables, so each text is in memory once. The content of Secrets and
 * ConfigMaps is not interned.
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

/** Longer values, such as a RoleBinding with thousands of subjects, are not shared. */
const longestShared = 2048;
const mostShared = 4000;

const sharedValues = new Map<string, object>();

/** Returns the first equal object or list. For values that are never mutated: labels, subjects, references. */
export function shared<T extends object>(value: T): T;
export function shared(value: object): object {
  const key = JSON.stringify(value);
  if (key.length > longestShared) return value;
  const found = sharedValues.get(key);
  if (found !== undefined) return found;
  if (sharedValues.size >= mostShared) sharedValues.clear();
  sharedValues.set(key, value);
  return value;
}
