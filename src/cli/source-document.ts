import { boolYaml11Tag, CORE_SCHEMA, constructFromEvents, parseEvents, YAMLException } from "js-yaml";
import { messageOf } from "../kube/errors.ts";
import { type Position, positionsOf } from "./positions.ts";

/** A document, with the lines of its fields. */
export interface SourceDocument {
  readonly file: string;
  readonly document: unknown;
  readonly position: Position;
  /** The first expression of a template in its text, which Helm has not rendered. */
  readonly template?: Template;
}

interface Template {
  readonly line: number;
  readonly expression: string;
}

/** kubectl reads a plain yes, no, on and off as true and false. */
const schema = CORE_SCHEMA.withTags(boolYaml11Tag);

/** The documents of a file, those of lists one by one and empty ones left out; or the reason why it cannot be parsed. */
export function parsedDocuments(
  file: string,
  text: string,
): { readonly documents: readonly SourceDocument[] } | { readonly error: string; readonly line?: number } {
  try {
    const events = parseEvents(text, {});
    const values = constructFromEvents(events, { source: text, schema });
    const positions = positionsOf(text, events);
    const documents = values.flatMap((document, index) => {
      const position = positions[index] ?? { line: 1, children: new Map() };
      const template = templateIn(text, position.line, positions[index + 1]?.line);
      return itemsOf({ file, document, position, ...(template && { template }) });
    });
    return { documents: documents.filter(({ document }) => document !== null && document !== undefined) };
  } catch (error) {
    const template = templateIn(text, 1);
    if (template !== undefined) return { error: templateMessage(template), line: template.line };
    if (!(error instanceof YAMLException)) return { error: `cannot be parsed as YAML: ${messageOf(error)}` };
    const line = error.mark === undefined ? undefined : error.mark.line + 1;
    return {
      error: `cannot be parsed as YAML: ${error.reason}${syntaxHint(error.reason)}`,
      ...(line !== undefined && { line }),
    };
  }
}

/** What to write instead, by the reason of the parser. */
const syntaxHints: readonly (readonly [reason: RegExp, hint: string])[] = [
  [/tab/, "indent with spaces"],
  [/duplicated mapping key/, "remove one of the two fields"],
  [/implicit key|multiline key/, "write name: value, with a colon and a space, in this line or in the one before"],
  [/deficient indentation|end of the stream within/, "close the quotes in this line or in the one before"],
  [/bad indentation/, 'begin the fields of an object in the same column, and each item of a list with "- "'],
  [/flow collection/, "put quotes around a value that begins with { or [, and commas between items"],
];

function syntaxHint(reason: string): string {
  const hint = syntaxHints.find(([pattern]) => pattern.test(reason))?.[1];
  return hint === undefined ? "" : `: ${hint}`;
}

/** What to do with a template. */
export function templateMessage({ expression }: Template): string {
  return `this is a Helm template that is not rendered (${expression}): use the output of helm template`;
}

/** The first Helm expression between two lines, comments left out. */
function templateIn(text: string, first: number, end?: number): Template | undefined {
  const lines = text.split("\n").slice(first - 1, end === undefined ? undefined : end - 1);
  for (const [index, line] of lines.entries()) {
    const comment = line.search(/(?:^|\s)#/);
    const [expression] = helmExpression.exec(comment === -1 ? line : line.slice(0, comment)) ?? [];
    if (expression !== undefined) return { line: first + index, expression };
  }
  return undefined;
}

const helmExpression =
  /\{\{-?\s*(?:\.(?:Values|Release|Chart|Capabilities|Files|Template)\b|(?:if|else|end|range|with|include|template|define|toYaml|tpl|default|required|quote|printf)\b|\$|\/\*)[^{}]{0,60}(?:\}\})?/;

/** The items of a list, as `kubectl get -o yaml` prints it. */
function itemsOf(source: SourceDocument): readonly SourceDocument[] {
  const { document, position } = source;
  if (typeof document !== "object" || document === null) return [source];
  if (!("kind" in document) || typeof document.kind !== "string" || !document.kind.endsWith("List")) return [source];
  const items = "items" in document && Array.isArray(document.items) ? document.items : [];
  const lines = position.children.get("items")?.children;
  return items.map((item, index) => ({ ...source, document: item, position: lines?.get(String(index)) ?? position }));
}
