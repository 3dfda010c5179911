import { child, type FieldProblem, goQuoted, invalid } from "./field-problem.ts";
import { remedyOf, type StructuralSchema } from "./structural-schema.ts";

/**
 * The problems that the API server would report for a value that does not match the schema: unknown fields (as with strict field
 * validation, kubectl's default), wrong types, missing fields, bounds, and list entries with the same key.
 */
export function structureProblems(schema: StructuralSchema, value: unknown, path: string): FieldProblem[] {
  const actual = typeOf(value);
  const allowed = schema.type === undefined ? ["integer", "string"] : [schema.type];
  if (!allowed.includes(actual)) {
    const detail = `${path} in body must be of type ${allowed.join(",")}: "${actual}"`;
    const wrongType = { field: path, body: `Invalid value: "${actual}": ${detail}`, blocking: true };
    return [wrongType, ...(schema.enum ? [unsupported(schema.enum, value, path)] : [])];
  }
  if (typeof value === "string") return textProblems(schema, value, path);
  if (typeof value === "number") return numberProblems(schema, value, path);
  if (Array.isArray(value)) return listProblems(schema, value, path);
  return isObject(value) ? objectProblems(schema, value, path) : [];
}

/** A document as the API server reads it: a null field, such as `basic:` without a value, is absent. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const present = Object.entries(value).filter(([, content]) => content !== null);
  return Object.fromEntries(present.map(([name, content]) => [name, withoutNulls(content)]));
}

/** The schema of a field of an object or map; undefined if the schema has none with that name. */
export function fieldOf({ properties = {}, additionalProperties }: StructuralSchema, name: string) {
  // Own properties only: a document can have a field named constructor.
  return Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
}

/** The fields of metadata (metav1.ObjectMeta). */
export const metadataFields: readonly string[] = [
  ...["name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences", "managedFields"],
  ...["uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"],
  "selfLink",
];

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function textProblems(schema: StructuralSchema, value: string, path: string): FieldProblem[] {
  const { enum: allowed, maxLength, minLength, pattern } = schema;
  const problems: FieldProblem[] = [];
  const characters = [...value].length;
  if (allowed && !allowed.includes(value)) problems.push(unsupported(allowed, value, path));
  if (maxLength !== undefined && characters > maxLength)
    problems.push({ field: path, body: `Too long: may not be more than ${maxLength} bytes`, blocking: true });
  if (minLength !== undefined && characters < minLength)
    problems.push(outOfBounds(path, value, `should be at least ${minLength} chars long`));
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value))
    problems.push(outOfBounds(path, value, `should match '${pattern}'`));
  return problems;
}

function numberProblems({ maximum, minimum }: StructuralSchema, value: number, path: string): FieldProblem[] {
  if (maximum !== undefined && value > maximum)
    return [outOfBounds(path, value, `should be less than or equal to ${maximum}`)];
  if (minimum !== undefined && value < minimum)
    return [outOfBounds(path, value, `should be greater than or equal to ${minimum}`)];
  return [];
}

function listProblems(schema: StructuralSchema, value: readonly unknown[], path: string): FieldProblem[] {
  const { items, maxItems, minItems } = schema;
  const problems: FieldProblem[] = items
    ? value.flatMap((item, index) => structureProblems(items, item, `${path}[${index}]`))
    : [];
  if (maxItems !== undefined && value.length > maxItems)
    problems.push({ field: path, body: tooMany(value.length, maxItems), blocking: true });
  if (minItems !== undefined && value.length < minItems)
    problems.push(outOfBounds(path, value.length, `should have at least ${minItems} items`));
  return [...problems, ...duplicates(schema, value, path)];
}

function duplicates(schema: StructuralSchema, value: readonly unknown[], path: string): FieldProblem[] {
  const { "x-kubernetes-list-type": type, "x-kubernetes-list-map-keys": keys = [] } = schema;
  if (type !== "set" && type !== "map") return [];
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    if (type === "map" && !isObject(item)) {
      const body = invalid(item, "must be an object for an array of list-type map");
      return [{ field: `${path}[${index}]`, body, blocking: false }];
    }
    const identity = JSON.stringify(
      type === "set" ? item : Object.fromEntries(keys.map((key) => [key, isObject(item) ? item[key] : undefined])),
    );
    if (!seen.has(identity)) {
      seen.add(identity);
      return [];
    }
    return [{ field: `${path}[${index}]`, body: `Duplicate value: ${identity}`, blocking: false }];
  });
}

function objectProblems(schema: StructuralSchema, value: Record<string, unknown>, path: string): FieldProblem[] {
  const { maxProperties, required = [] } = schema;
  const present = Object.entries(value);
  const problems: FieldProblem[] = required
    .filter((name) => value[name] === undefined)
    .map((name) => ({ field: child(path, name), body: missing(schema.properties?.[name]), blocking: true }));
  if (maxProperties !== undefined && present.length > maxProperties)
    problems.push({ field: path, body: tooMany(present.length, maxProperties), blocking: true });
  for (const [name, content] of present) {
    const field = fieldOf(schema, name);
    if (field) problems.push(...structureProblems(field, content, child(path, name)));
    else problems.push({ field: "", body: `unknown field "${child(path, name)}"`, blocking: true });
  }
  return problems;
}

/** The message of the API server, with the remedy. */
function missing(schema: StructuralSchema | undefined): string {
  const remedy = schema && remedyOf(schema);
  return remedy === undefined ? "Required value" : `Required value: ${remedy}`;
}

function unsupported(allowed: readonly string[], value: unknown, path: string): FieldProblem {
  const supported = `supported values: ${allowed.map(goQuoted).join(", ")}`;
  const quoted = typeof value === "string" ? goQuoted(value) : JSON.stringify(value);
  return { field: path, body: `Unsupported value: ${quoted}: ${supported}`, blocking: true };
}

function outOfBounds(path: string, value: string | number, bound: string): FieldProblem {
  return { field: path, body: invalid(value, `${path} in body ${bound}`), blocking: false };
}

function tooMany(actual: number, most: number): string {
  return `Too many: ${actual}: must have at most ${most} ${most === 1 ? "item" : "items"}`;
}
