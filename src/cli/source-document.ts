import { constructFromEvents, parseEvents, YAMLException } from "js-yaml";
import { messageOf } from "../kube/message-of.ts";
import { type Position, positionsOf } from "./positions.ts";

/** A document, with the lines of its fields. */
export interface SourceDocument {
  readonly file: string;
  readonly document: unknown;
  readonly position: Position;
}

/** The documents of a file, those of lists one by one and empty ones left out; or the reason why it cannot be parsed. */
export function parsedDocuments(
  file: string,
  text: string,
): { readonly documents: readonly SourceDocument[] } | { readonly error: string; readonly line?: number } {
  try {
    const events = parseEvents(text, {});
    const values = constructFromEvents(events, { source: text });
    const positions = positionsOf(text, events);
    const documents = values.flatMap((document, index) =>
      itemsOf({ file, document, position: positions[index] ?? { line: 1, children: new Map() } }),
    );
    return { documents: documents.filter(({ document }) => document !== null && document !== undefined) };
  } catch (error) {
    if (!(error instanceof YAMLException)) return { error: `cannot be parsed as YAML: ${messageOf(error)}` };
    const line = error.mark === undefined ? undefined : error.mark.line + 1;
    return { error: `cannot be parsed as YAML: ${error.reason}`, ...(line !== undefined && { line }) };
  }
}

/** The items of a list, as `kubectl get -o yaml` prints it. */
function itemsOf(source: SourceDocument): readonly SourceDocument[] {
  const { document, position } = source;
  if (typeof document !== "object" || document === null) return [source];
  if (!("kind" in document) || typeof document.kind !== "string" || !document.kind.endsWith("List")) return [source];
  const items = "items" in document && Array.isArray(document.items) ? document.items : [];
  const lines = position.children.get("items")?.children;
  return items.map((item, index) => ({ ...source, document: item, position: lines?.get(String(index)) ?? position }));
}
