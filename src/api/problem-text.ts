import { child, type FieldProblem } from "./field-problem.ts";
import { replacementOf } from "./other-spellings.ts";
import { mostSimilar } from "./similar.ts";
import type { StructuralSchema } from "./structural-schema.ts";
import { fieldOf, isObject, metadataFields } from "./structure.ts";
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
    .filter(({ field, body }) => !(wrongTypes.has(field) && repeatsWrongType.test(body)))
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
const repeatsWrongType = /^Unsupported value|: must be an object for an array of list-type map$/;
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
  if (problem.body === "Required value") return `Required value: ${requiredHint(field, rejected.schema)}`;
  if (problem.body.endsWith(": put the value in quotes") && rejected.sourceText?.(field) !== undefined)
    return `${problem.body}: ${lastName(field)}: ${JSON.stringify(rejected.sourceText(field))}`;
  const [, members] = /^Invalid value: set exactly one of ([^:]+): /.exec(problem.body) ?? [];
  if (members !== undefined) return unionText(problem, members.split(", "), rejected);
  const [, one, other] = /^Invalid value: set (\S+) or (\S+), not both$/.exec(problem.body) ?? [];
  if (one !== undefined && valueAt(rejected.document, child(field, one)) == null)
    return `Invalid value: neither ${one} nor ${other} is set: ${requiredHint(child(field, one), rejected.schema)}`;
  if (value !== undefined) {
    const similar = mostSimilar(value, schema?.enum ?? []);
    return similar === undefined ? problem.body : `${problem.body}: did you mean ${similar}?`;
  }
  return boundText(problem, schema);
}

/** A problem of a union: which members are set, or which one has no value and is therefore absent. */
function unionText(
  { field, body: text }: FieldProblem,
  members: readonly string[],
  { schema, document }: Rejected,
): string {
  const union = valueAt(document, field);
  const given = members.filter((member) => isObject(union) && member in union);
  const set = given.filter((member) => isObject(union) && union[member] !== null);
  if (set.length > 1) return `Invalid value: ${set.join(" and ")} are set: keep one of them, and remove the others`;
  const [empty] = given;
  if (set.length > 0 || empty === undefined) return text;
  const required = schemaAt(schema, child(field, empty))?.required ?? [];
  const written = required.map((name) => `${name}: …`).join(", ");
  return `Invalid value: ${empty} has no value, so it is absent: write ${empty}: {${written}}`;
}

/** The messages about patterns, bounds and sizes, with what to write. */
function boundText({ field, body: text }: FieldProblem, schema: StructuralSchema | undefined): string {
  const name = lastName(field);
  const example = exampleOf(schema);
  const [, value = ""] = /^Invalid value: "((?:[^"\\]|\\.)*)": /.exec(text) ?? [];
  const amount = /: must be a size|in body should match '\^\[0-9\]/.test(text) ? amountHint(value) : undefined;
  const pattern = / in body should match '/.exec(text);
  if (pattern !== null) {
    const found = text.slice(0, text.indexOf(`: ${field} in body`));
    return `${found}: ${amount ?? `write ${name} as in the example${example === undefined ? "" : `: ${example}`}`}`;
  }
  if (amount !== undefined) return `${text}: ${amount}`;
  const { minimum = 0, maximum } = schema ?? {};
  if (/ in body should be (?:less|greater) than or equal to /.test(text))
    return `${text}: write an integer ${maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`}`;
  if (/ in body should (?:have|be) at least /.test(text)) return `${text}: ${requiredHint(field, undefined, schema)}`;
  if (text.startsWith("Duplicate value: ")) return `${text}: remove one of the two entries`;
  if (text.startsWith("Too long: ")) return `${text}: shorten it`;
  const [, actual, most] = /^Too many: (\d+): must have at most (\d+) /.exec(text) ?? [];
  if (actual !== undefined) return `${text}: remove ${Number(actual) - Number(most)}`;
  return text;
}

/** The amount that a text with another unit probably means: 512MB, 2gi. */
function amountHint(text: string): string | undefined {
  const [, number, letter = "", binary = ""] = /^([0-9]+(?:[.][0-9]+)?) *([kmgtpe])(i?)b?$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  const binaryAmount = `${number}${letter.toUpperCase()}i`;
  if (binary !== "") return `did you mean ${binaryAmount}?`;
  return `did you mean ${number}${letter.toLowerCase() === "k" ? "k" : letter.toUpperCase()} or ${binaryAmount}?`;
}

/** The example in the description of a field. */
function exampleOf(schema: StructuralSchema | undefined): string | undefined {
  return (schema?.description ?? "").split("Example: ")[1]?.replace(/[.]$/, "");
}

/** What to write for a missing field: the example of its description, that of its parent, or the description itself. */
function requiredHint(path: string, root: StructuralSchema | undefined, schema = root && schemaAt(root, path)): string {
  const name = lastName(path);
  const { description = "", properties = {}, required = [] } = schema ?? {};
  const example = exampleOf(schema);
  if (example !== undefined) return `write ${name}: ${example}`;
  const fields = required.length > 0 ? required : Object.keys(properties);
  if (fields.length > 0) return `write ${name} with ${fields.join(", ")}`;
  const parent = path.slice(0, Math.max(0, path.lastIndexOf(".")));
  const ofParent = root && exampleOf(schemaAt(root, parent));
  if (ofParent?.includes(`${name}:`)) return `write ${name}, such as ${lastName(parent)}: ${ofParent}`;
  const [what = ""] = description.split(/(?<=\.) /);
  return `write ${name}${what === "" ? "" : ` (${what.replace(/\.$/, "")})`}`;
}

/** The last name of a path, without an index. */
function lastName(path: string): string {
  const [, key] = /^metadata\.(?:labels|annotations)\.(.*)$/s.exec(path) ?? [];
  if (key !== undefined) return key;
  return path.slice(path.lastIndexOf(".") + 1).replace(/\[\d+\]$/, "");
}

function unknownFieldHint(path: string, root: StructuralSchema): string {
  const replacement = replacementOf(path, (field) => schemaAt(root, field) !== undefined);
  if (replacement !== undefined) return replacement;
  const dot = path.lastIndexOf(".");
  const [parent, name] = dot === -1 ? ["", path] : [path.slice(0, dot), path.slice(dot + 1)];
  const siblings = parent === "metadata" ? metadataFields : Object.keys(schemaAt(root, parent)?.properties ?? {});
  const prefix = parent === "" ? "" : `${parent}.`;
  const similar = mostSimilar(name, siblings);
  if (similar !== undefined) return `did you mean ${prefix}${similar}?`;
  const elsewhere = isCommon.test(name) ? [] : pathsOf(root, name).slice(0, 3);
  if (elsewhere.length > 0) return `did you mean ${elsewhere.join(" or ")}?`;
  if (siblings.length === 0) return "leave it out: no field is allowed here";
  return `leave it out. The fields of ${parent === "" ? "the object" : parent} are ${siblings.join(", ")}`;
}

/** Names of fields that many objects have: another object with such a field is no help. */
const isCommon = /^(name|namespace|key|kind|labels|annotations|host|port|path|value|secretName|enabled|mode)$/i;

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
  const unit = /^\d+([A-Za-z]+)$/.exec(exampleOf(field) ?? "")?.[1];
  const must = `must be ${nouns[expected] ?? expected}, and is ${isSecret(name) ? typeNoun(value) : shown || typeNoun(value)}`;
  switch (expected) {
    case "string":
      if (shown === "") return `${must}: write one value`;
      if (unit !== undefined && /^[0-9.]+$/.test(shown)) return `${must}: add the unit: ${assign(`${shown}${unit}`)}`;
      return `${must}: put it in quotes: ${assign(JSON.stringify(path === "spec.version" ? wholeVersion(shown) : shown))}`;
    case "integer,string":
      return shown === "" ? `${must}: write one value` : `${must}: put it in quotes: ${assign(JSON.stringify(shown))}`;
    case "integer":
      if (/^\d+$/.test(shown)) return `${must} in quotes: remove the quotes: ${assign(shown)}`;
      if (/^\d+[^\d.]/.test(shown))
        return `${must}: write only the number: ${assign(String(Number.parseInt(shown, 10)))}`;
      return `${must}: write an integer, such as ${assign(String(Math.max(1, field?.minimum ?? 1)))}`;
    case "boolean": {
      if (value === "true" || value === "false") return `${must} in quotes: remove the quotes: ${assign(value)}`;
      const isTrue = /^(true|yes|on|y|1|enabled)$/i.test(shown);
      return `${must}: write ${assign(isTrue ? "true" : "false")}, without quotes`;
    }
    case "array":
      return `${must}: ${listHint(value, field, shown, assign)}`;
    case "object":
      return `${must}: ${objectHint(name, value, field, shown, assign)}`;
    default:
      return must;
  }
}

/** What to write for a list: its only item, a dash before the fields of an item, or an example. */
function listHint(
  value: unknown,
  field: StructuralSchema | undefined,
  shown: string,
  assign: (text: string) => string,
): string {
  const fields = Object.keys(field?.items?.properties ?? {});
  if (isObject(value) && Object.keys(value).some((key) => fields.includes(key)))
    return 'put "- " before its first field';
  const example = exampleOf(field);
  if (shown !== "" && (fields.length === 0 || example === undefined)) return `write ${assign(`[${shown}]`)}`;
  return example === undefined ? 'put "- " before each item' : `write a list, such as ${assign(example)}`;
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
  return /secret|password|credential|token/i.test(name) && !name.endsWith("TTL");
}

function typeNoun(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? "an object" : "a single value";
}

function objectHint(
  name: string,
  value: unknown,
  field: StructuralSchema | undefined,
  shown: string,
  assign: (text: string) => string,
): string {
  const fields = Object.keys(field?.properties ?? {});
  if (Array.isArray(value)) return `write its fields without "- ": ${fields.join(", ")}`;
  if (/^(true|yes|on|enabled)$/i.test(shown) && (field?.required ?? []).length === 0) return `write ${assign("{}")}`;
  if (/^(false|no|off|disabled)$/i.test(shown) && fields.includes("enabled"))
    return `write ${assign("{enabled: false}")}`;
  const member = fields.find((each) => each.toLowerCase() === shown.toLowerCase());
  if (member !== undefined) {
    const inner = (field?.properties?.[member]?.required ?? []).map((each) => `${each}: …`).join(", ");
    return `write ${assign(`{${member}: {${inner}}}`)}`;
  }
  if (fields[0] === "name") {
    const key = field?.required?.includes("key") ? ", key: <key>" : "";
    return `write ${assign(`{name: ${isSecret(name) ? "<name of the Secret>" : shown || "<name>"}${key}}`)}`;
  }
  if (fields.length === 0) return `write ${assign(field?.additionalProperties ? "{key: value}" : "{}")}`;
  const example = exampleOf(field);
  const such = example?.startsWith("{") ? `, such as ${assign(example)}` : "";
  return `write an object with the fields ${fields.join(", ")}${such}`;
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
