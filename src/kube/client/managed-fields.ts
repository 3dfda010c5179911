import type { FieldManager } from "../object.ts";

/** An operation of RFC 6902. */
export type JsonPatchStep =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** An entry of `metadata.managedFields`. */
export interface ManagedFields extends FieldManager {
  readonly apiVersion?: string;
  readonly fieldsV1?: FieldSet;
}

/** FieldsV1: a trie of field paths; a leaf is an empty object. */
export interface FieldSet {
  readonly [path: string]: FieldSet;
}

/**
 * Returns whether the operator has entries of operation `Update`: `none`, `one`, or `many` entries that must be merged. Server-side apply removes a
 * field that is missing in the manifest only if an entry of operation `Apply` owns it, and a POST creates an entry of
 * operation `Update`.
 */
export function updateEntries(managedFields: readonly FieldManager[], manager: string): "none" | "one" | "many" {
  const own = managedFields.filter((entry) => isOwn(entry, manager));
  if (!own.some(({ operation }) => operation === "Update")) return "none";
  return own.length === 1 ? "one" : "many";
}

/** Returns a patch that renames the only entry to `Apply`, if it is still at the same index. */
export function renamed(managedFields: readonly FieldManager[], manager: string): JsonPatchStep[] {
  const index = managedFields.findIndex((entry) => isOwn(entry, manager));
  const path = `/metadata/managedFields/${index}`;
  return [
    { op: "test", path: `${path}/manager`, value: manager },
    { op: "test", path: `${path}/operation`, value: "Update" },
    { op: "replace", path: `${path}/operation`, value: "Apply" },
  ];
}

/** Returns a patch that merges the entries of the operator into one of operation `Apply`, if the object is unchanged. */
export function merged(
  metadata: { resourceVersion?: string; managedFields?: readonly ManagedFields[] },
  manager: string,
) {
  const { resourceVersion, managedFields = [] } = metadata;
  const own = managedFields.filter((entry) => isOwn(entry, manager));
  const base = own.find(({ operation }) => operation === "Apply") ?? own[0];
  const fieldsV1 = own.map((entry) => entry.fieldsV1 ?? {}).reduce(union, {});
  const value = [...managedFields.filter((entry) => !own.includes(entry)), { ...base, operation: "Apply", fieldsV1 }];
  return [
    { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
    { op: "replace", path: "/metadata/managedFields", value },
  ] satisfies JsonPatchStep[];
}

function isOwn(entry: FieldManager, manager: string): boolean {
  return entry.manager === manager && !entry.subresource;
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const both: Record<string, FieldSet> = { ...a };
  for (const [path, fields] of Object.entries(b)) both[path] = union(both[path] ?? {}, fields);
  return both;
}

/** Returns the field managers, except one, that own the field at a path such as `.spec.template.spec.containers[0].image`. */
export function managersOf(entries: readonly ManagedFields[], path: string, except: string): string[] {
  const steps = path.split(/\.|(?=\[)/).filter((step) => step !== "");
  const owners = entries.filter(({ manager, fieldsV1 }) => manager !== except && fieldsV1 && owns(fieldsV1, steps));
  return [...new Set(owners.flatMap(({ manager }) => manager ?? []))].sort();
}

/** An item of a list matches each keyed or valued entry, since the path has only its index. */
function owns(fields: FieldSet, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return true;
  const names = Object.keys(fields);
  // A leaf above the path: its manager owns all fields below it.
  if (names.length === 0) return true;
  const isItem = step.startsWith("[");
  const below = names.filter((name) => (isItem ? /^[kvi]:/.test(name) : name === `f:${step}`));
  return below.some((name) => owns(fields[name] ?? {}, rest));
}
