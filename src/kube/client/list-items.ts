const quote = 0x22;
const backslash = 0x5c;
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Limit for the list without its items: its metadata, or the response of a proxy instead of a list. */
const longestFrame = 2 ** 20;

/**
 * Splits a JSON list of the API server while it arrives, so that only one item at a time is in memory: a
 * page of 500 ConfigMaps can have 500 MB. `onItem` receives the text of each object in `items`.
 */
export class ListItems {
  readonly #onItem: (text: string) => void;
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #isInItems = false;
  #isInItem = false;
  /** The received part of the current item. All items of the list use the same buffer. */
  #item = Buffer.allocUnsafe(2 ** 16);
  #itemBytes = 0;
  #frame: Buffer[] = [];
  #frameBytes = 0;
  /** The first byte of the current chunk that has not been kept. */
  #from = 0;

  constructor(onItem: (text: string) => void) {
    this.#onItem = onItem;
  }

  /** Returns the list without its items, once it is complete. */
  frame(): string {
    const text = Buffer.concat(this.#frame).toString("utf8");
    // Between items there are only commas.
    return text.replace(/("items"\s*:\s*\[)[\s,]*\]/, "$1]");
  }

  take(chunk: Buffer): void {
    this.#from = 0;
    let nextQuote = -1;
    let nextBackslash = -1;
    for (let at = 0; at < chunk.length; at += 1) {
      if (!this.#isInText) this.#structural(chunk, at);
      else if (this.#isEscaped) this.#isEscaped = false;
      else {
        if (nextQuote < at) nextQuote = indexIn(chunk, quote, at);
        if (nextBackslash < at) nextBackslash = indexIn(chunk, backslash, at);
        at = Math.min(nextQuote, nextBackslash);
        if (at === chunk.length) break;
        if (at === nextQuote) this.#isInText = false;
        else this.#isEscaped = true;
      }
    }
    this.#keep(chunk.subarray(this.#from));
  }

  /** Processes a byte outside texts. */
  #structural(chunk: Buffer, at: number): void {
    switch (chunk[at]) {
      case quote:
        this.#isInText = true;
        break;
      case openObject:
        if (this.#isInItems && this.#depth === 2) {
          this.#keepUntil(chunk, at);
          this.#isInItem = true;
        }
        this.#depth += 1;
        break;
      case openList:
        if (this.#depth === 1) {
          this.#keepUntil(chunk, at);
          this.#isInItems = this.#isItemsKey();
        }
        this.#depth += 1;
        break;
      case closeList:
      case closeObject:
        this.#depth -= 1;
        if (this.#isInItem && this.#depth === 2) this.#complete(chunk, at + 1);
        else if (this.#depth === 1) this.#isInItems = false;
        break;
    }
  }

  /** Delivers the item that ends at this position. */
  #complete(chunk: Buffer, end: number): void {
    this.#keepUntil(chunk, end);
    const text = this.#item.toString("utf8", 0, this.#itemBytes);
    this.#isInItem = false;
    this.#itemBytes = 0;
    this.#onItem(text);
  }

  #keepUntil(chunk: Buffer, end: number): void {
    this.#keep(chunk.subarray(this.#from, end));
    this.#from = end;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    if (this.#isInItem) {
      if (this.#itemBytes + part.length > this.#item.length) {
        const larger = Buffer.allocUnsafe(2 * (this.#itemBytes + part.length));
        this.#item.copy(larger, 0, 0, this.#itemBytes);
        this.#item = larger;
      }
      this.#itemBytes += part.copy(this.#item, this.#itemBytes);
      return;
    }
    this.#frameBytes += part.length;
    if (this.#frameBytes > longestFrame) throw new Error("The list has more than 1 MiB besides its items.");
    // A copy, because a slice would keep the whole chunk in memory.
    this.#frame.push(Buffer.from(part));
  }

  /** Whether the text so far ends with the key `items`. */
  #isItemsKey(): boolean {
    this.#frame = [Buffer.concat(this.#frame)];
    return /(?:^|[^\\])"items"\s*:\s*$/.test(this.#frame[0]?.subarray(-64).toString("latin1") ?? "");
  }
}

function indexIn(chunk: Buffer, byte: number, from: number): number {
  const found = chunk.indexOf(byte, from);
  return found < 0 ? chunk.length : found;
}
