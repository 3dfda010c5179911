const newline = 0x0a;

/** Bytes in, lines out. What follows the last newline is held until its end comes. */
export type LineSplitter = (chunk: Buffer) => void;

/**
 * Splits a stream of bytes into lines, whatever the chunks: a line is decoded only when it is whole, so a character
 * that spans two chunks survives, and a line of many megabytes is copied once. Empty lines are skipped; a last line
 * without its newline was cut and is never delivered.
 */
export function lineSplitter(onLine: (line: string) => void): LineSplitter {
  let held: Buffer[] = [];
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const tail = chunk.subarray(start, end);
      const line = held.length === 0 ? tail : Buffer.concat([...held, tail]);
      held = [];
      start = end + 1;
      if (line.length > 0) onLine(line.toString("utf8"));
    }
    if (start < chunk.length) held.push(chunk.subarray(start));
  };
}
