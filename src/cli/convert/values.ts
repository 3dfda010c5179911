/** Helm values: what `helm get values` prints, and the content of values files. */
export type Value = string | number | boolean | null | readonly Value[] | Values;

export interface Values {
  readonly [key: string]: Value;
}

export function isValues(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One value that is set, with its path of keys; an index of a list is a number. */
export interface Leaf {
  readonly path: readonly (string | number)[];
  readonly value: Value;
}

/** Merges values as Helm does for several `-f`: maps are merged, lists are replaced, and null removes a key. */
export function mergedValues(layers: readonly Values[]): Values {
  return layers.reduce<Values>((merged, layer) => merge(merged, layer), {});
}

function merge(below: Values, above: Values): Values {
  const result: Record<string, Value> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const before = result[key];
    if (value === null) delete result[key];
    else if (isValues(value) && isValues(before)) result[key] = merge(before, value);
    else result[key] = value;
  }
  return result;
}

/**
 * The values of one `--set` argument, in Helm's syntax: `a.b=1,list[0].c=x,d={x,y}`; a backslash escapes the next character.
 * With `isText` every value is a string, as with `--set-string`. Throws an Error that quotes the key, never the value.
 */
export function setValues(argument: string, isText = false): Values {
  let values: Values = {};
  for (const assignment of split(argument, ",")) {
    const at = indexOf(assignment, "=");
    if (at < 1) throw new Error(`--set ${split(assignment, "=")[0]}: write it as key=value`);
    const path = split(assignment.slice(0, at), ".").flatMap(segments);
    values = assign(values, path, scalar(assignment.slice(at + 1), isText)) as Values;
  }
  return values;
}

/** `list[0][1]` as its key and its indexes. */
function segments(text: string): (string | number)[] {
  const indexes: number[] = [];
  let key = text;
  for (let found = lastIndex(key); found !== undefined; found = lastIndex(key)) {
    indexes.unshift(Number(found));
    key = key.slice(0, -`[${found}]`.length);
  }
  if (key === "") throw new Error(`--set ${text}: a key is missing`);
  if (indexes.some((index) => index > 1024)) throw new Error(`--set ${text}: an index can be at most 1024`);
  return [unescaped(key), ...indexes];
}

/** The digits in brackets at the end of a key. */
function lastIndex(key: string): string | undefined {
  const open = key.lastIndexOf("[");
  const digits = key.endsWith("]") && open !== -1 ? key.slice(open + 1, -1) : "";
  return digits !== "" && [...digits].every((digit) => digit >= "0" && digit <= "9") ? digits : undefined;
}

function assign(target: Value | undefined, path: readonly (string | number)[], value: Value): Value {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (typeof first === "number") {
    const list: Value[] = Array.isArray(target) ? [...target] : [];
    while (list.length < first) list.push(null);
    list[first] = assign(list[first], rest, value);
    return list;
  }
  const map = isValues(target) ? target : {};
  return { ...map, [first]: assign(map[first], rest, value) };
}

function scalar(text: string, isText: boolean): Value {
  if (text.startsWith("{") && text.endsWith("}")) {
    const inner = text.slice(1, -1);
    return inner === "" ? [] : split(inner, ",").map((item) => scalar(item, isText));
  }
  const plain = unescaped(text);
  if (isText) return plain;
  if (plain === "true" || plain === "false") return plain === "true";
  if (plain === "null") return null;
  return /^(?:0|-?[1-9]\d{0,14})$/u.test(plain) ? Number(plain) : plain;
}

/** The parts between unescaped separators outside braces. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let rest = text;
  for (let at = indexOf(rest, separator); at >= 0; at = indexOf(rest, separator)) {
    parts.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...parts, rest];
}

function indexOf(text: string, wanted: string): number {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "\\") index++;
    else if (character === "{") depth++;
    else if (character === "}") depth--;
    else if (character === wanted && depth === 0) return index;
  }
  return -1;
}

const unescaped = (text: string): string => text.replace(/\\(.)/gu, "$1");

/** The values below a prefix of keys, such as `mlflow` for a chart that has another chart as its dependency. */
export function valuesBelow(values: Values, prefix: string): Values | undefined {
  let value: Value | undefined = values;
  for (const key of prefix.split(".")) value = isValues(value) ? value[key] : undefined;
  return isValues(value) ? value : undefined;
}

/** All values that are set; an empty map or list is a leaf. */
export function leavesOf(value: Value, path: readonly (string | number)[] = []): Leaf[] {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((item, index) => leavesOf(item, [...path, index]));
  if (isValues(value) && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]));
  }
  return path.length === 0 ? [] : [{ path, value }];
}

/** A path as `--set` takes it. */
export function pathText(path: readonly (string | number)[]): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      return `${index === 0 ? "" : "."}${part.replace(/[.,=\\]/gu, "\\$&")}`;
    })
    .join("");
}
