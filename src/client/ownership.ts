import type { FieldManager } from "../kube/object.ts";

/** An operation of RFC 6902. */
export type JsonPatchStep =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** An entry of `metadata.managedFields` as the API server has it. */
export interface ManagedFields extends FieldManager {
  readonly apiVersion?: string;
  readonly fieldsV1?: FieldSet;
}

/** FieldsV1: a trie of field paths; a leaf is an empty object. */
export interface FieldSet {
  readonly [path: string]: FieldSet;
}

/**
 * Where a POST of ours has left its trace: server-side apply removes a field that a manifest dropped only if the field is
 * owned by an entry of operation `Apply`, and a POST makes one of operation `Update`. `many` is for what a POST alone
 * cannot leave: entries that have to be merged.
 */
export function trace(managedFields: readonly FieldManager[], manager: string): "none" | "one" | "many" {
  const ours = managedFields.filter((entry) => isOurs(entry, manager));
  if (!ours.some(({ operation }) => operation === "Update")) return "none";
  return ours.length === 1 ? "one" : "many";
}

/** Renames the only entry to `Apply`, if it is still where we saw it. */
export function renamed(managedFields: readonly FieldManager[], manager: string): JsonPatchStep[] {
  const index = managedFields.findIndex((entry) => isOurs(entry, manager));
  const path = `/metadata/managedFields/${index}`;
  return [
    { op: "test", path: `${path}/manager`, value: manager },
    { op: "test", path: `${path}/operation`, value: "Update" },
    { op: "replace", path: `${path}/operation`, value: "Apply" },
  ];
}

/** Merges our entries into one of operation `Apply`, if the object is still the version that we saw. */
export function merged(
  metadata: { resourceVersion?: string; managedFields?: readonly ManagedFields[] },
  manager: string,
) {
  const { resourceVersion, managedFields = [] } = metadata;
  const ours = managedFields.filter((entry) => isOurs(entry, manager));
  const base = ours.find(({ operation }) => operation === "Apply") ?? ours[0];
  const fieldsV1 = ours.map((entry) => entry.fieldsV1 ?? {}).reduce(union, {});
  const value = [...managedFields.filter((entry) => !ours.includes(entry)), { ...base, operation: "Apply", fieldsV1 }];
  return [
    { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
    { op: "replace", path: "/metadata/managedFields", value },
  ] satisfies JsonPatchStep[];
}

function isOurs(entry: FieldManager, manager: string): boolean {
  return entry.manager === manager && !entry.subresource;
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const both: Record<string, FieldSet> = { ...a };
  for (const [path, fields] of Object.entries(b)) both[path] = union(both[path] ?? {}, fields);
  return both;
}
