import { EVENT_ID, type Event, getScalarValue } from "js-yaml";

/** The line of a value in a file, and those of what is in it. */
export interface Position {
  readonly line: number;
  readonly children: ReadonlyMap<string, Position>;
  /** The text of a scalar. */
  readonly text?: string;
}

/** The positions of all documents of a file, in order. */
export function positionsOf(source: string, events: readonly Event[]): Position[] {
  const lineOf = lineCounter(source);
  let next = 0;

  /** The node at the next event. An event without a start, such as that of an empty value, is on the line of its parent. */
  function node(parentLine: number): Position {
    const event = events[next++];
    if (event === undefined) return { line: parentLine, children: new Map() };
    const line = startOf(event) < 0 ? parentLine : lineOf(startOf(event));
    const children = new Map<string, Position>();
    if (event.type === EVENT_ID.SEQUENCE)
      for (let index = 0; !isEnd(); index++) children.set(String(index), node(line));
    if (event.type === EVENT_ID.MAPPING)
      while (!isEnd()) {
        const key = events[next];
        const keyLine = node(line).line;
        const name = key?.type === EVENT_ID.SCALAR ? getScalarValue(source, key) : "";
        children.set(name, { ...node(keyLine), line: keyLine });
      }
    const text = event.type === EVENT_ID.SCALAR ? getScalarValue(source, event) : undefined;
    return { line, children, ...(text !== undefined && { text }) };
  }

  /** Whether the collection ends here. */
  function isEnd(): boolean {
    if (next < events.length && events[next]?.type !== EVENT_ID.POP) return false;
    next++;
    return true;
  }

  const documents: Position[] = [];
  while (next < events.length) {
    next++;
    if (events[next]?.type === EVENT_ID.POP) documents.push({ line: 1, children: new Map() });
    else documents.push(node(1));
    next++;
  }
  return documents;
}

/** The line of a field such as `spec.server.env[0].name`; where it is missing, that of the nearest object around it. */
export function lineOfField(position: Position, path: string): number {
  return nearest(position, path).position.line;
}

/** The text of a scalar. */
export function textOfField(position: Position, path: string): string | undefined {
  const found = nearest(position, path);
  return found.isExact ? found.position.text : undefined;
}

function nearest(position: Position, path: string): { readonly position: Position; readonly isExact: boolean } {
  let current = position;
  let rest = path;
  while (rest !== "") {
    const index = /^\[([^\]]*)\]\.?/.exec(rest);
    const name = index?.[1] ?? longestKey(current, rest);
    const child = name === undefined ? undefined : current.children.get(name);
    if (name === undefined || child === undefined) return { position: current, isExact: false };
    current = child;
    rest = index === null ? rest.slice(name.length).replace(/^\./, "") : rest.slice(index[0].length);
  }
  return { position: current, isExact: true };
}

/** Keys, such as those of labels, can contain dots. */
function longestKey({ children }: Position, rest: string): string | undefined {
  return [...children.keys()]
    .filter((key) => rest === key || rest.startsWith(`${key}.`) || rest.startsWith(`${key}[`))
    .sort((a, b) => b.length - a.length)[0];
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING ? event.start : -1;
}

/** Counts lines from 1. */
function lineCounter(source: string): (offset: number) => number {
  const starts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
