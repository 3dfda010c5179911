import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync } from "@swc/core";

/** A node of the syntax tree; the checks below read a few fields of a few types. */
type Node = { readonly type?: string } & Record<string, unknown>;

interface Source {
  readonly functions: ReadonlyMap<string, { readonly params: readonly Node[]; readonly body: unknown }>;
  /** Imported values: the file and the name there. */
  readonly imports: ReadonlyMap<string, { readonly file: string; readonly name: string }>;
}

const sources = new Map<string, Source>();

/**
 * Returns the functions that receive objects on the way from this function, by `file#name`: itself and all top-level functions
 * that it reaches and that have a parameter with another type than a primitive value.
 */
export function receivingFunctions(file: string, name: string): string[] {
  const reached = new Map<string, boolean>();
  reach(file, name, reached);
  return [...reached].flatMap(([key, isReceiving]) => (isReceiving ? [key] : [])).sort();
}

function reach(file: string, name: string, reached: Map<string, boolean>): void {
  const { functions, imports } = sourceOf(file);
  const imported = imports.get(name);
  if (imported !== undefined) {
    reach(imported.file, imported.name, reached);
    return;
  }
  const key = `${file}#${name}`;
  const found = functions.get(name);
  if (found === undefined || reached.has(key)) return;
  reached.set(
    key,
    found.params.some((param) => !isPrimitive(typeOf(param))),
  );
  for (const used of identifiersIn(found.body)) reach(file, used, reached);
}

function sourceOf(file: string): Source {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const functions = new Map<string, { params: Node[]; body: unknown }>();
  const imports = new Map<string, { file: string; name: string }>();
  const { body } = parseSync(readFileSync(file, "utf8"), { syntax: "typescript", target: "es2022" });
  for (const item of body) {
    const declaration = item.type === "ExportDeclaration" ? item.declaration : item;
    if (declaration.type === "FunctionDeclaration") {
      const { identifier, params, body: content } = declaration;
      functions.set(identifier.value, { params: params.map(({ pat }) => nodeOf(pat)), body: content });
    }
    if (item.type !== "ImportDeclaration" || item.typeOnly || !item.source.value.startsWith(".")) continue;
    for (const specifier of item.specifiers) {
      if (specifier.type !== "ImportSpecifier" || specifier.isTypeOnly) continue;
      const { local, imported } = specifier;
      imports.set(local.value, { file: join(dirname(file), item.source.value), name: imported?.value ?? local.value });
    }
  }
  const source = { functions, imports };
  sources.set(file, source);
  return source;
}

function identifiersIn(value: unknown): Set<string> {
  const found = new Set<string>();
  const walk = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(walk);
    if (typeof part !== "object" || part === null || Array.isArray(part)) return;
    const node = nodeOf(part);
    if (node.type === "Identifier" && typeof node["value"] === "string") found.add(node["value"]);
    for (const [key, child] of Object.entries(node)) if (key !== "span") walk(child);
  };
  walk(value);
  return found;
}

/** Returns the type of a parameter; undefined without one. */
function typeOf(param: Node): Node | undefined {
  const pattern = param.type === "AssignmentPattern" ? nodeOf(param["left"]) : param;
  const annotation = pattern["typeAnnotation"];
  return annotation ? nodeOf(nodeOf(annotation)["typeAnnotation"]) : undefined;
}

function isPrimitive(type: Node | undefined): boolean {
  return type !== undefined && (type.type === "TsKeywordType" || type.type === "TsLiteralType");
}

function nodeOf(value: unknown): Node {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
