const quote = 0x22;
const backslash = 0x5c;
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Limit for the list without its items: its metadata, or the response of a proxy instead of a list. */
const longestFrame = 2 ** 20;

/** Accepts bytes and delivers items. */
export interface ListItems {
  readonly take: (chunk: Buffer) => void;
  /** Returns the list without its items, once it is complete. */
  readonly frame: () => string;
}

/**
 * Splits a JSON list of the API server while it arrives, so that only one item at a time is in memory: a
 * page of 500 ConfigMaps can have 500 MB. `onItem` receives the text of each object in `items`.
 */
export function listItems(onItem: (text: string) => void): ListItems {
  let depth = 0;
  let isInText = false;
  let isEscaped = false;
  let isInItems = false;
  let isInItem = false;
  /** The received part of the current item. All items of the list use the same buffer. */
  let item = Buffer.allocUnsafe(2 ** 16);
  let itemBytes = 0;
  let frame: Buffer[] = [];
  let frameBytes = 0;

  function keep(part: Buffer): void {
    if (part.length === 0) return;
    if (isInItem) {
      if (itemBytes + part.length > item.length) {
        const larger = Buffer.allocUnsafe(2 * (itemBytes + part.length));
        item.copy(larger, 0, 0, itemBytes);
        item = larger;
      }
      itemBytes += part.copy(item, itemBytes);
      return;
    }
    frameBytes += part.length;
    if (frameBytes > longestFrame) throw new Error("The list has more than 1 MiB besides its items.");
    // A copy, because a slice would keep the whole chunk in memory.
    frame.push(Buffer.from(part));
  }

  /** Whether the text so far ends with the key `items`. */
  function isItemsKey(): boolean {
    frame = [Buffer.concat(frame)];
    return /(?:^|[^\\])"items"\s*:\s*$/.test(frame[0]?.subarray(-64).toString("latin1") ?? "");
  }

  function take(chunk: Buffer): void {
    let from = 0;
    let nextQuote = -1;
    let nextBackslash = -1;
    for (let at = 0; at < chunk.length; ) {
      if (isInText) {
        if (isEscaped) {
          isEscaped = false;
          at += 1;
          continue;
        }
        if (nextQuote < at) nextQuote = indexIn(chunk, quote, at);
        if (nextBackslash < at) nextBackslash = indexIn(chunk, backslash, at);
        const next = Math.min(nextQuote, nextBackslash);
        if (next === nextQuote && next < chunk.length) isInText = false;
        else if (next < chunk.length) isEscaped = true;
        at = next + 1;
        continue;
      }
      switch (chunk[at]) {
        case quote:
          isInText = true;
          break;
        case openObject:
          if (isInItems && depth === 2) {
            keep(chunk.subarray(from, at));
            from = at;
            isInItem = true;
          }
          depth += 1;
          break;
        case openList:
          if (depth === 1) {
            keep(chunk.subarray(from, at));
            from = at;
            isInItems = isItemsKey();
          }
          depth += 1;
          break;
        case closeList:
        case closeObject:
          depth -= 1;
          if (isInItem && depth === 2) {
            keep(chunk.subarray(from, at + 1));
            from = at + 1;
            const text = item.toString("utf8", 0, itemBytes);
            isInItem = false;
            itemBytes = 0;
            onItem(text);
          } else if (depth === 1) isInItems = false;
          break;
      }
      at += 1;
    }
    keep(chunk.subarray(from));
  }

  return {
    take,
    frame: () => {
      const text = Buffer.concat(frame).toString("utf8");
      // Between items there are only commas.
      return text.replace(/("items"\s*:\s*\[)[\s,]*\]/, "$1]");
    },
  };
}

function indexIn(chunk: Buffer, byte: number, from: number): number {
  const found = chunk.indexOf(byte, from);
  return found < 0 ? chunk.length : found;
}
