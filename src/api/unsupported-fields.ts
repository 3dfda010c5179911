import type { OwnKind } from "../kube/kinds.ts";
import { ownSchemas } from "./known-fields.ts";
import type { KnownSchema } from "./known-schema.ts";

/** Cached, since specs are immutable and most are checked repeatedly. */
const checked = new WeakMap<object, readonly string[]>();

/**
 * The parts of a spec that this operator does not know: fields, members of unions, values of enums and types, each as a path with the
 * value. The API server admits such a spec where its CustomResourceDefinition is newer than the operator, and an older one removes fields, which can leave a union without a member.
 */
export function unsupportedFields(kind: OwnKind, spec: unknown): readonly string[] {
  if (typeof spec !== "object" || spec === null) return ["spec is missing"];
  const before = checked.get(spec);
  if (before !== undefined) return before;
  const found = problems(ownSchemas[kind].spec, spec, "spec");
  checked.set(spec, found);
  return found;
}

function problems(schema: KnownSchema, value: unknown, path: string): string[] {
  if (!isOfType(schema, value)) return [`${path} is ${typeName(value)}`];
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? [] : value.flatMap((item, index) => problems(items, item, `${path}[${index}]`));
  }
  if (isRecord(value)) {
    const { required = [] } = schema;
    const missing = required.filter((name) => !isSet(value, name)).map((name) => `${path}.${name} is missing`);
    return [...missing, ...fieldProblems(schema, value, path), ...unionProblems(schema, value, path)];
  }
  const isKnown = schema.enum === undefined || (typeof value === "string" && schema.enum.includes(value));
  return isKnown ? [] : [`${path}: ${cut(JSON.stringify(value))}`];
}

function fieldProblems(schema: KnownSchema, value: Record<string, unknown>, path: string): string[] {
  return Object.entries(value).flatMap(([name, content]) => {
    if (content === undefined || content === null) return [];
    const field = Object.hasOwn(schema.properties ?? {}, name)
      ? schema.properties?.[name]
      : schema.additionalProperties;
    const below = `${path}.${cut(name)}`;
    return field === undefined ? [below] : problems(field, content, below);
  });
}

function unionProblems({ unions = [] }: KnownSchema, value: Record<string, unknown>, path: string): string[] {
  return unions.flatMap((members) => {
    const set = members.filter((member) => isSet(value, member));
    if (set.length === 1) return [];
    return [set.length === 0 ? `${path} has none of ${members.join(", ")}` : `${path} has ${set.join(" and ")}`];
  });
}

function isSet(value: Record<string, unknown>, name: string): boolean {
  return Object.hasOwn(value, name) && value[name] !== undefined && value[name] !== null;
}

function isOfType({ type }: KnownSchema, value: unknown): boolean {
  switch (type) {
    case undefined:
      return typeof value === "string" || Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isRecord(value);
    case "integer":
      return Number.isInteger(value);
    case "string":
    case "boolean":
      return typeof value === type;
  }
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return isRecord(value) ? "an object" : `${cut(JSON.stringify(value) ?? "undefined")}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Names and values are arbitrary: they are truncated. */
function cut(text: string): string {
  return text.length > 64 ? `${text.slice(0, 63)}…` : text;
}
