import { z } from "zod";
import type { Rule } from "./fields/rule.ts";

/** The part of a structural OpenAPI v3 schema of a CRD that this project uses. */
export interface StructuralSchema {
  /** Absent for `x-kubernetes-int-or-string`. */
  type?: "object" | "array" | "string" | "integer" | "boolean";
  description?: string;
  format?: string;
  default?: string | number | boolean | object;
  enum?: string[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: StructuralSchema;
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  additionalProperties?: StructuralSchema;
  maxProperties?: number;
  "x-kubernetes-int-or-string"?: true;
  "x-kubernetes-list-type"?: "map" | "set" | "atomic";
  "x-kubernetes-map-type"?: "atomic" | "granular";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-validations"?: Rule[];
}

const rule = z.strictObject({
  rule: z.string(),
  message: z.string().exactOptional(),
  messageExpression: z.string().exactOptional(),
  fieldPath: z.string().exactOptional(),
  reason: z.enum(["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired"]).exactOptional(),
});

/** The allowed output of `z.toJSONSchema`. Strict, so that generation fails for constructs that a CRD cannot contain (oneOf, $ref, null). */
const generated = z.strictObject({
  type: z.enum(["object", "array", "string", "integer", "boolean"]).exactOptional(),
  /** Replaced by `x-kubernetes-int-or-string`. */
  anyOf: z
    .tuple([z.looseObject({ type: z.literal("integer") }), z.strictObject({ type: z.literal("string") })])
    .exactOptional(),
  description: z.string().exactOptional(),
  format: z.string().exactOptional(),
  default: z.union([z.string(), z.number(), z.boolean()]).exactOptional(),
  enum: z.array(z.string()).exactOptional(),
  minLength: z.int().exactOptional(),
  maxLength: z.int().exactOptional(),
  pattern: z.string().exactOptional(),
  minimum: z.int().exactOptional(),
  maximum: z.int().exactOptional(),
  minItems: z.int().exactOptional(),
  maxItems: z.int().exactOptional(),
  get items() {
    return generated.exactOptional();
  },
  get properties() {
    return z.record(z.string(), generated).exactOptional();
  },
  required: z.array(z.string()).exactOptional(),
  get additionalProperties() {
    return z.union([z.literal(false), generated]).exactOptional();
  },
  maxProperties: z.int().exactOptional(),
  remedy: z.string().exactOptional(),
  "x-kubernetes-int-or-string": z.literal(true).exactOptional(),
  "x-kubernetes-list-type": z.enum(["map", "set", "atomic"]).exactOptional(),
  "x-kubernetes-map-type": z.enum(["atomic", "granular"]).exactOptional(),
  "x-kubernetes-list-map-keys": z.array(z.string()).exactOptional(),
  "x-kubernetes-validations": z.array(rule).exactOptional(),
});

/**
 * A zod schema as a structural schema, without `additionalProperties: false`, which a CRD does not allow next to
 * properties: the API server prunes unknown fields and, with strict field validation, rejects them.
 * Throws if the schema cannot be in a CRD, or a list has no list type.
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return structural(generated.parse(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" })));
}

function structural(json: z.infer<typeof generated>): StructuralSchema {
  const { items, properties, required, additionalProperties, remedy, anyOf, ...rest } = json;
  if (
    (anyOf !== undefined) !== (json["x-kubernetes-int-or-string"] === true) ||
    (anyOf === undefined) === (json.type === undefined)
  )
    throw new Error(`neither a type nor x-kubernetes-int-or-string: ${JSON.stringify(json)}`);
  if (json.type === "array" && json["x-kubernetes-list-type"] === undefined)
    throw new Error(`a list without x-kubernetes-list-type: ${json.description}`);
  const fields = Object.entries(properties ?? {});
  const schema: StructuralSchema = {
    ...rest,
    ...(items && { items: structural(items) }),
    ...(properties && { properties: Object.fromEntries(fields.map(([name, field]) => [name, structural(field)])) }),
    ...(required && required.length > 0 && { required }),
    ...(additionalProperties && { additionalProperties: structural(additionalProperties) }),
  };
  if (remedy !== undefined) remedies.set(schema, remedy);
  return schema;
}

const remedies = new WeakMap<StructuralSchema, string>();

/** What to write if a required field is missing; undefined if its description is sufficient. A CRD has no field for it. */
export function remedyOf(schema: StructuralSchema): string | undefined {
  return remedies.get(schema);
}
