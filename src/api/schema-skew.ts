import { createHash } from "node:crypto";
import { type KnownSchema, knownSchema } from "./known-schema.ts";
import type { StructuralSchema } from "./structural-schema.ts";

/** The differences of the installed CustomResourceDefinition from the operator's own. */
export interface Skew {
  /** Paths of fields and enum values that the operator knows and the definition does not have: the API server prunes such fields. */
  readonly missing: readonly string[];
  /** Whether both admit the same specs. */
  readonly isSame: boolean;
}

/** The part of the operator's own CustomResourceDefinition that it compares with the installed one. */
export interface OwnSchema {
  readonly spec: KnownSchema;
  readonly status: KnownSchema;
  readonly digest: string;
}

/** The same for a schema, for {@link skewOf} and for the generated file. */
export function ownSchema(resource: StructuralSchema): OwnSchema {
  const { spec, status } = resource.properties ?? {};
  if (spec === undefined || status === undefined) throw new Error("the schema has no spec or no status");
  return { spec: knownSchema(spec), status: knownSchema(status), digest: digestOf(spec) };
}

/** Compares the operator's own schema with the one that the API server publishes. */
export function skewOf(own: OwnSchema, installed: StructuralSchema): Skew {
  const { spec, status } = installed.properties ?? {};
  return {
    missing: [...missingIn(own.spec, spec, "spec"), ...missingIn(own.status, status, "status")],
    isSame: spec !== undefined && digestOf(spec) === own.digest,
  };
}

function missingIn(own: KnownSchema, installed: StructuralSchema | undefined, path: string): string[] {
  if (installed === undefined) return [path];
  const { type, enum: values = [], properties = {}, items, additionalProperties } = knownSchema(installed);
  if (own.type !== type) return [path];
  const lost = values.length === 0 ? [] : (own.enum ?? []).filter((value) => !values.includes(value));
  return [
    ...lost.map((value) => `${path}: ${value}`),
    ...Object.entries(own.properties ?? {}).flatMap(([name, field]) =>
      missingIn(field, Object.hasOwn(properties, name) ? installed.properties?.[name] : undefined, `${path}.${name}`),
    ),
    ...(own.items === undefined || items === undefined ? [] : missingIn(own.items, installed.items, `${path}[]`)),
    ...(own.additionalProperties === undefined || additionalProperties === undefined
      ? []
      : missingIn(own.additionalProperties, installed.additionalProperties, `${path}.*`)),
  ];
}

/** A hash of the parts of a schema that decide which values it admits; without descriptions and messages. */
function digestOf(schema: StructuralSchema): string {
  return createHash("sha256")
    .update(JSON.stringify(canonical(schema)))
    .digest("hex")
    .slice(0, 32);
}

function canonical(schema: StructuralSchema): unknown {
  const { type, properties, items, additionalProperties, required, pattern } = schema;
  const { minLength, maxLength, minimum, maximum, minItems, maxItems, maxProperties } = schema;
  return [
    [type, schema.enum, pattern, minLength, maxLength, minimum, maximum, minItems, maxItems, maxProperties],
    Object.entries(properties ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, canonical(field)]),
    items && canonical(items),
    additionalProperties && canonical(additionalProperties),
    [...(required ?? [])].sort(),
    (schema["x-kubernetes-validations"] ?? []).map(({ rule }) => rule),
  ];
}
