import type { FieldProblem } from "./field-problem.ts";
import { replacementOf } from "./other-spellings.ts";
import { mostSimilar } from "./similar.ts";
import type { StructuralSchema } from "./structural-schema.ts";
import { fieldOf, isObject } from "./structure.ts";
import { supportedVersions } from "./versions.ts";

/** A document with its schema. */
export interface Rejected {
  readonly schema: StructuralSchema;
  readonly document: unknown;
  /** The text of a scalar in the source file: YAML reads 3.10 as 3.1. */
  readonly sourceText?: (path: string) => string | undefined;
}

/**
 * Problems for the command line: the messages of the API server if they are clear, with what to write instead. A user
 * name or a password in a URL is not printed.
 */
export function problemTexts(problems: readonly FieldProblem[], rejected: Rejected): { field: string; text: string }[] {
  const wrongTypes = new Set(problems.filter(({ body }) => wrongType.test(body)).map(({ field }) => field));
  return problems
    .filter(({ field, body }) => !(wrongTypes.has(field) && body.startsWith("Unsupported value")))
    .map((problem) => {
      const unknown = unknownField.exec(problem.body)?.[1];
      if (unknown !== undefined) {
        return { field: unknown, text: `${problem.body}: ${unknownFieldHint(unknown, rejected.schema)}` };
      }
      const { field } = problem;
      return { field, text: withoutPasswords(`${field === "" ? "" : `${field}: `}${body(problem, rejected)}`) };
    });
}

const unknownField = /^unknown field "(.*)"$/s;
const wrongType = /^Invalid value: "\w+": .* in body must be of type ([a-z,]+): "\w+"$/s;

/** Hides user names and passwords before hosts: `https://***@minio`. */
function withoutPasswords(text: string): string {
  return text
    .split(/([\s"'])/)
    .map(withoutPassword)
    .join("");
}

function withoutPassword(word: string): string {
  const at = word.lastIndexOf("@");
  const start = word.includes("://") ? word.indexOf("://") + 3 : 0;
  const user = word.slice(start, at);
  if (at < start || !user.includes(":") || (start === 0 && user.includes("/"))) return word;
  return `${word.slice(0, start)}***${word.slice(at)}`;
}

function body(problem: FieldProblem, rejected: Rejected): string {
  const { field } = problem;
  const expected = wrongType.exec(problem.body)?.[1];
  if (expected !== undefined) return wrongTypeText(field, expected, rejected);
  const [, value] = /^Unsupported value: "(.*?)": supported values/s.exec(problem.body) ?? [];
  const schema = schemaAt(rejected.schema, field);
  if (problem.body === "Required value") return `Required value: ${requiredHint(lastName(field), schema)}`;
  if (problem.body.endsWith(": put the value in quotes") && rejected.sourceText?.(field) !== undefined)
    return `${problem.body}: ${lastName(field)}: ${JSON.stringify(rejected.sourceText(field))}`;
  const similar = value === undefined ? undefined : mostSimilar(value, schema?.enum ?? []);
  return similar === undefined ? problem.body : `${problem.body}: did you mean ${similar}?`;
}

/** The example of the field's description, or the description itself. */
function requiredHint(name: string, schema: StructuralSchema | undefined): string {
  const { description = "", properties = {}, required = [] } = schema ?? {};
  const [, example] = description.split("Example: ");
  if (example !== undefined) return `write ${name}: ${example.replace(/[.]$/, "")}`;
  const fields = required.length > 0 ? required : Object.keys(properties);
  if (fields.length > 0) return `write ${name} with ${fields.join(", ")}`;
  const [what = ""] = description.split(/(?<=\.) /);
  return `write ${name}${what === "" ? "" : ` (${what.replace(/\.$/, "")})`}`;
}

/** The last name of a path, without an index. */
function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1).replace(/\[\d+\]$/, "");
}

function unknownFieldHint(path: string, root: StructuralSchema): string {
  const replacement = replacementOf(path);
  if (replacement !== undefined) return replacement;
  const dot = path.lastIndexOf(".");
  const [parent, name] = dot === -1 ? ["", path] : [path.slice(0, dot), path.slice(dot + 1)];
  const siblings = Object.keys(schemaAt(root, parent)?.properties ?? {});
  const prefix = parent === "" ? "" : `${parent}.`;
  const similar = mostSimilar(name, siblings);
  if (similar !== undefined) return `did you mean ${prefix}${similar}?`;
  const elsewhere = pathsOf(root, name).slice(0, 3);
  if (elsewhere.length > 0) return `did you mean ${elsewhere.join(" or ")}?`;
  if (siblings.length === 0) return "leave it out: no field is allowed here";
  return `leave it out. The fields of ${parent === "" ? "the object" : parent} are ${siblings.join(", ")}`;
}

/** The fields of this name, in any case, those that are highest in the tree first. */
function pathsOf(schema: StructuralSchema, name: string, path = ""): string[] {
  if (schema.items) return pathsOf(schema.items, name, `${path}[]`);
  const properties = Object.entries(schema.properties ?? {}).filter(([key]) => path !== "" || key !== "status");
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  const own = properties.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([key]) => at(key));
  const below = properties.flatMap(([key, field]) => pathsOf(field, name, at(key)));
  return [...own, ...below].sort((a, b) => a.split(".").length - b.split(".").length);
}

function wrongTypeText(path: string, expected: string, { schema, document, sourceText }: Rejected): string {
  const name = lastName(path);
  const isItem = path.endsWith("]");
  const value = valueAt(document, path);
  const shown = isObject(value) || Array.isArray(value) ? "" : (sourceText?.(path) ?? String(value));
  const field = schemaAt(schema, path);
  const assign = (text: string) => (isItem ? text : `${name}: ${text}`);
  const must = `must be ${nouns[expected] ?? expected}, and is ${isSecret(name) ? typeNoun(value) : shown || typeNoun(value)}`;
  switch (expected) {
    case "string":
      if (shown === "") return `${must}: write one value`;
      return `${must}: put it in quotes: ${assign(JSON.stringify(path === "spec.version" ? wholeVersion(shown) : shown))}`;
    case "integer":
      if (/^\d+$/.test(shown)) return `${must} in quotes: remove the quotes: ${assign(shown)}`;
      return `${must}: write an integer, such as ${assign(String(field?.minimum ?? 1))}`;
    case "boolean": {
      const isTrue = /^(true|yes|on|y|1|enabled)$/i.test(shown);
      return `${must}: write ${assign(isTrue ? "true" : "false")}, without quotes`;
    }
    case "array":
      if (isObject(value)) return `${must}: put "- " before its first field`;
      return `${must}: write ${assign(`[${shown}]`)}`;
    case "object":
      return `${must}: ${objectHint(name, value, field, shown)}`;
    default:
      return must;
  }
}

/** The newest supported version that begins with these numbers: YAML reads 3.17 as a number. */
function wholeVersion(text: string): string {
  return supportedVersions.find((version) => version === text || version.startsWith(`${text}.`)) ?? text;
}

const nouns: Readonly<Record<string, string>> = {
  string: "a string",
  integer: "an integer",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  "integer,string": "an integer or a string",
};

/** Whether a wrong value of the field can be a secret, such as a password in place of a reference to a Secret. */
function isSecret(name: string): boolean {
  return /secret|password|credential|token/i.test(name);
}

function typeNoun(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? "an object" : "a single value";
}

function objectHint(name: string, value: unknown, field: StructuralSchema | undefined, shown: string): string {
  const fields = Object.keys(field?.properties ?? {});
  if (Array.isArray(value)) return `write its fields without "- ": ${fields.join(", ")}`;
  if (/^(true|yes|on|enabled)$/i.test(shown) && (field?.required ?? []).length === 0) return `write ${name}: {}`;
  if (fields[0] === "name") {
    const key = field?.required?.includes("key") ? ", key: <key>" : "";
    return `write ${name}: {name: ${isSecret(name) ? "<name of the Secret>" : shown || "<name>"}${key}}`;
  }
  if (fields.length === 0) return field?.additionalProperties ? `write ${name}: {key: value}` : `write ${name}: {}`;
  return `write ${name}: with the fields ${fields.join(", ")} below it`;
}

/** The steps of a path such as `spec.server.env[0].name`. */
function steps(path: string): string[] {
  return path.split(/[.[\]]+/).filter((step) => step !== "");
}

function schemaAt(root: StructuralSchema, path: string): StructuralSchema | undefined {
  return steps(path).reduce<StructuralSchema | undefined>(
    (schema, step) => schema && (schema.items ?? fieldOf(schema, step)),
    root,
  );
}

function valueAt(document: unknown, path: string): unknown {
  return steps(path).reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value[Number(step)];
    return isObject(value) ? value[step] : undefined;
  }, document);
}
