import type { Rule } from "../../src/api/fields/rule.ts";
import type { StructuralSchema } from "../../src/api/structural-schema.ts";

/** A field for the reference page. */
export interface Field {
  /** Relative to the section: `credentials.secretName`, `env[].name`, `labels.<key>`. */
  readonly path: string;
  readonly schema: StructuralSchema;
  readonly required: boolean;
}

/** All fields below a schema, parents before children, in the order of the schema. */
export function fieldsBelow(schema: StructuralSchema, path = ""): Field[] {
  const { items, additionalProperties, properties = {}, required = [] } = schema;
  if (items) return fieldsBelow(items, `${path}[]`);
  if (additionalProperties) return fieldsBelow(additionalProperties, `${path}.<key>`);
  const requiredFields = rulesOf(schema).flatMap(({ reason, fieldPath }) =>
    reason === "FieldValueRequired" && fieldPath !== undefined ? [fieldPath.slice(1)] : [],
  );
  return Object.entries(properties).flatMap(([name, field]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const self = { path: at, schema: field, required: required.includes(name) || requiredFields.includes(name) };
    return [self, ...fieldsBelow(field, at)];
  });
}

/** The rules of a schema, its items and its map values, which have no row. */
export function rulesOf(schema: StructuralSchema): readonly Rule[] {
  const own = schema["x-kubernetes-validations"] ?? [];
  const within = schema.items ?? schema.additionalProperties;
  const isLeaf = within && within.properties === undefined;
  return [...own, ...(within ? (isLeaf ? rulesOf(within) : (within["x-kubernetes-validations"] ?? [])) : [])];
}

/** The type with its bounds, as text: `integer, 1 to 64`. */
export function typeOf(schema: StructuralSchema): string {
  const { type, enum: words, items, additionalProperties, minimum, maximum, maxLength } = schema;
  if (words) return words.map((word) => `\`${word}\``).join(", ");
  if (items) return `list of ${plural(items)}${most(schema.maxItems)}`;
  if (additionalProperties) return `map to ${plural(additionalProperties)}${most(schema.maxProperties)}`;
  if (type === undefined) return `integer or string, up to ${maxLength} characters`;
  if (type === "integer") {
    return maximum === undefined || maximum > 2 ** 31 ? "integer" : `integer, ${minimum ?? 0} to ${maximum}`;
  }
  if (type === "string" && maxLength !== undefined) return `string, up to ${maxLength} characters`;
  return type;
}

function plural(schema: StructuralSchema): string {
  if (schema.enum) return typeOf(schema);
  return schema.type === undefined ? "integers or strings" : `${schema.type}s`;
}

function most(count: number | undefined): string {
  return count === undefined ? "" : `, up to ${count}`;
}

/** The effective default of a field: that of the schema, or else that in the description. */
export function defaultOf({ default: value, description = "" }: StructuralSchema): string {
  if (value !== undefined) return `\`${value}\``;
  const described = /\bDefault: (.+?)\.(?= |$)/.exec(description)?.[1];
  const word = /\b(\w+) \(default\)/.exec(description)?.[1];
  return described ?? (word === undefined ? "" : `\`${word}\``);
}
