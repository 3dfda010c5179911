import { isDeepStrictEqual } from "node:util";

interface ManagedObject {
  readonly metadata: {
    readonly managedFields?: readonly { readonly manager?: string; readonly subresource?: string }[];
  };
}

/** A path element: the name of a field, or the keys of a list item. */
type Step = string | Readonly<Record<string, unknown>>;

/** A field that a manager has written, or a whole list item. */
export interface Leaf {
  readonly steps: readonly Step[];
  readonly value: unknown;
  /** In readable form: `/spec/template/spec/containers/name=mlflow/image`. */
  readonly text: string;
}

/**
 * Returns all fields of an object that `manager` owns according to `managedFields`, and the list items that contain them. The keys of
 * items are omitted: changing a key removes the item and adds another.
 */
export function leavesOf(object: ManagedObject, manager: string): Leaf[] {
  const entries = object.metadata.managedFields ?? [];
  return entries
    .filter((entry) => entry.manager === manager && !entry.subresource)
    .flatMap((entry) => walk("fieldsV1" in entry ? entry.fieldsV1 : {}, object, []));
}

/** `fields` is a trie of field paths, in which a leaf is empty (Kubernetes, "Server-Side Apply: field management"). */
function walk(fields: unknown, value: unknown, steps: readonly Step[]): Leaf[] {
  const leaf = { steps, value, text: steps.map(stepText).join("") };
  const nested = nestedSteps(fields);
  if (nested.length === 0) return [leaf];
  const last = steps.at(-1);
  const inItem = nested.filter(
    ({ step }) => typeof last !== "object" || typeof step !== "string" || !Object.hasOwn(last, step),
  );
  const leaves = inItem.flatMap(({ step, fields: below }) => walk(below, valueAt(value, step), [...steps, step]));
  return typeof last === "object" ? [leaf, ...leaves] : leaves;
}

/** The steps below a node of the trie. */
function nestedSteps(fields: unknown): { step: Step; fields: unknown }[] {
  const below = typeof fields === "object" && fields !== null ? Object.entries(fields) : [];
  return below.flatMap(([step, more]): { step: Step; fields: unknown }[] => {
    if (step.startsWith("f:")) return [{ step: step.slice(2), fields: more }];
    return step.startsWith("k:") ? [{ step: JSON.parse(step.slice(2)), fields: more }] : [];
  });
}

function stepText(step: Step): string {
  if (typeof step === "string") return `/${step}`;
  const keys = Object.entries(step).map(([name, value]) => `${name}=${value}`);
  return `/${keys.join(",")}`;
}

function valueAt(value: unknown, step: Step): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof step === "string") return Object.entries(value).find(([name]) => name === step)?.[1];
  return Array.isArray(value) ? value.find((item) => hasKeys(item, step)) : undefined;
}

function hasKeys(item: unknown, keys: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(keys).every(([name, wanted]) => isDeepStrictEqual(valueAt(item, name), wanted));
}

/** Returns the value of the object at the path of the leaf. */
export function valueIn(object: unknown, { steps }: Leaf): unknown {
  return steps.reduce(valueAt, object);
}

/** Whether the leaf is a list item. */
export function isItem({ steps }: Leaf): boolean {
  return typeof steps.at(-1) === "object";
}

/** Returns only the fields of the object that `manager` owns: what it has applied. */
export function manifestOf(object: ManagedObject, manager: string): unknown {
  const [entry] = (object.metadata.managedFields ?? []).filter((each) => each.manager === manager && !each.subresource);
  return ownedPart(entry !== undefined && "fieldsV1" in entry ? entry.fieldsV1 : {}, object);
}

function ownedPart(fields: unknown, value: unknown): unknown {
  const nested = nestedSteps(fields);
  if (nested.length === 0) return value;
  const parts = nested.map(({ step, fields: below }) => [step, ownedPart(below, valueAt(value, step))] as const);
  if (Array.isArray(value)) return parts.map(([, part]) => part);
  return Object.fromEntries(parts);
}

/** Returns a copy of the object whose value at the leaf is that of another version. */
export function withLeafOf<T>(object: T, other: unknown, leaf: Leaf): T {
  const changed = structuredClone(object);
  const last = leaf.steps.at(-1);
  const parent = leaf.steps.slice(0, -1).reduce<unknown>(valueAt, changed);
  const value = valueIn(other, leaf);
  if (Array.isArray(parent)) {
    const items = value === undefined ? [] : [value];
    parent.splice(parent.indexOf(valueIn(changed, leaf)), 1, ...items);
  } else if (typeof parent === "object" && parent !== null && typeof last === "string") {
    if (value === undefined) Reflect.deleteProperty(parent, last);
    else Reflect.set(parent, last, value);
  }
  return changed;
}

/** Returns the JSON pointer to the leaf in this version of the object. */
export function pointerTo(object: unknown, { steps }: Leaf): string {
  let value = object;
  return steps
    .map((step) => {
      const list = value;
      value = valueAt(value, step);
      const key = typeof step === "string" ? step : String(Array.isArray(list) ? list.indexOf(value) : -1);
      return `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    })
    .join("");
}

/** Returns other values for a field; the API server validates them. Empty for an item. */
export function otherValues(leaf: Leaf): unknown[] {
  const { value } = leaf;
  if (isItem(leaf)) return [];
  // An empty string is owned but not stored.
  if (value === undefined) return ["other"];
  if (typeof value === "number") return [value + 1, value - 1];
  if (typeof value === "boolean") return [!value];
  if (Array.isArray(value)) return [[...value, "other"], []];
  if (typeof value === "object" && value !== null) return otherObjects(value);
  if (typeof value !== "string") return [];
  const amount = /^([0-9]+)([A-Za-z]*)$/.exec(value);
  return [
    ...(amount === null ? [] : [`${Number(amount[1]) + 1}${amount[2]}`]),
    ...(alternatives[value] ?? []),
    `${value}x`,
    Buffer.from("other").toString("base64"),
  ];
}

/** Other values for an object that is owned as a whole. */
function otherObjects(value: object): unknown[] {
  const [first] = Object.entries(value);
  return [
    { ...value, optional: true },
    { ...value, other: "other" },
    ...(first === undefined ? [] : [{ ...value, [first[0]]: `${first[1]}x` }]),
  ];
}

/** Alternative values of enumerations in objects of the operator. */
const alternatives: Readonly<Record<string, readonly string[]>> = {
  ClusterIP: ["NodePort"],
  HTTP: ["HTTPS"],
  IfNotPresent: ["Always"],
  OnRootMismatch: ["Always"],
  RuntimeDefault: ["Localhost"],
  ScheduleAnyway: ["DoNotSchedule"],
  TCP: ["UDP"],
};
