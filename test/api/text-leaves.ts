import type { StructuralSchema } from "../../src/api/structural-schema.ts";
import { asDocument, changed, type Document, type Json } from "./documents.ts";

/** A text in a document, with its path in the document and in the schema (`[]` for items, `*` for values of maps). */
export interface TextLeaf {
  readonly path: string;
  readonly schemaPath: string;
  readonly value: string;
}

const controlCharacters = ["\r", "\t", "\0", "\x1b", "\x7f", "\u0085", "\u2028"];

/** Schema paths of texts that become neither an argument nor part of a file. */
const mayHaveLines = [
  "spec.server.env[].value",
  "spec.pod.annotations.*",
  "spec.service.annotations.*",
  "spec.serviceAccount.annotations.*",
  // A separate file in PEM.
  "spec.authentication.ldap.ca.certificates",
];

/** A document that must be rejected because of one of its texts. */
export interface Smuggled {
  readonly path: string;
  readonly document: Document;
}

/**
 * Each text of the schema that becomes an argument or part of a file, once with a line break at its end and once with
 * another control character, in turn.
 */
export function smuggled(documents: readonly Document[], schema: StructuralSchema): Smuggled[] {
  const leaves = documents.flatMap((document) => textLeaves(document, schema).map((leaf) => ({ document, ...leaf })));
  const one = new Map(leaves.map((leaf) => [leaf.schemaPath, leaf]));
  return [...one.values()]
    .filter(({ schemaPath }) => !mayHaveLines.includes(schemaPath))
    .flatMap(({ document, path, value }, index) =>
      ["\n", controlCharacters[index % controlCharacters.length]].map((character) => ({
        path,
        document: changed(document, { [path]: `${value}${character}` }),
      })),
    );
}

/** Whether a problem is about the text at `path`. Rules report the value of a map as `map[key]`. */
export function isSaidOf(problem: string, path: string): boolean {
  const dot = path.lastIndexOf(".");
  return problem.startsWith(`${path}: `) || problem.startsWith(`${path.slice(0, dot)}[${path.slice(dot + 1)}]: `);
}

/** All texts of a document's spec. */
export function textLeaves(document: Document, schema: StructuralSchema): TextLeaf[] {
  const spec = schema.properties?.["spec"];
  return spec ? leaves(document["spec"] ?? {}, spec, "spec", "spec") : [];
}

function leaves(node: Json, schema: StructuralSchema, path: string, schemaPath: string): TextLeaf[] {
  if (typeof node === "string") return schema.enum ? [] : [{ path, schemaPath, value: node }];
  if (Array.isArray(node)) {
    const { items } = schema;
    return items ? node.flatMap((item, index) => leaves(item, items, `${path}[${index}]`, `${schemaPath}[]`)) : [];
  }
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(asDocument(node)).flatMap(([name, value]) => {
    const field = schema.properties?.[name];
    if (field) return leaves(value, field, `${path}.${name}`, `${schemaPath}.${name}`);
    // A dot in a map's key would be split: such leaves are covered by others of the same map.
    if (!schema.additionalProperties || name.includes(".")) return [];
    return leaves(value, schema.additionalProperties, `${path}.${name}`, `${schemaPath}.*`);
  });
}

/** The schema paths of all texts except enums. */
export function textFields(schema: StructuralSchema): string[] {
  const spec = schema.properties?.["spec"];
  return spec ? fields(spec, "spec") : [];
}

function fields(schema: StructuralSchema, path: string): string[] {
  if ((schema.type ?? "string") === "string") return schema.enum ? [] : [path];
  return [
    ...(schema.items ? fields(schema.items, `${path}[]`) : []),
    ...(schema.additionalProperties ? fields(schema.additionalProperties, `${path}.*`) : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => fields(field, `${path}.${name}`)),
  ];
}
