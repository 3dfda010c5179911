import type { StructuralSchema } from "./structural-schema.ts";

/** The part of a schema that the running operator contains: types, fields, enum values and unions. */
export interface KnownSchema {
  /** Absent for `x-kubernetes-int-or-string`. */
  readonly type?: StructuralSchema["type"];
  /** The allowed values. */
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, KnownSchema>>;
  readonly items?: KnownSchema;
  readonly additionalProperties?: KnownSchema;
  /** Fields that must be set. */
  readonly required?: readonly string[];
  /** Groups of fields of which exactly one must be set. */
  readonly unions?: readonly (readonly string[])[];
}

/** The part of a structural schema that {@link unsupportedFields} uses. Throws if the rule of a union cannot be parsed. */
export function knownSchema(schema: StructuralSchema): KnownSchema {
  const { type, items, additionalProperties, properties } = schema;
  const rules = (schema["x-kubernetes-validations"] ?? []).map(({ rule }) => rule);
  const unions = rules.flatMap((rule) => unionOf(rule) ?? []);
  const { required = [] } = schema;
  const values = schema.enum ?? rules.map(valuesOf).find((found) => found !== undefined);
  return {
    ...(type !== undefined && { type }),
    ...(values !== undefined && { enum: values }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, knownSchema(field)])),
    }),
    ...(items && { items: knownSchema(items) }),
    ...(additionalProperties && { additionalProperties: knownSchema(additionalProperties) }),
    ...(required.length > 0 && { required }),
    ...(unions.length > 0 && { unions }),
  };
}

/** The fields of a rule of `exactlyOneOf`. */
function unionOf(rule: string): [string[]] | undefined {
  if (!rule.includes(".size() == 1") || !rule.startsWith("[has(")) return undefined;
  const fields = [...rule.matchAll(/has\(self\.([A-Za-z0-9]+)\)/g)].map(([, field = ""]) => field);
  if (fields.length < 2) throw new Error(`a union without fields: ${rule}`);
  return [fields];
}

/** The values of a rule `self in [...]`. */
function valuesOf(rule: string): string[] | undefined {
  const [, list] = /^self in (\[.*\])$/.exec(rule) ?? [];
  return list === undefined ? undefined : JSON.parse(list);
}
