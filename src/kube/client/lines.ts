const newline = 0x0a;

/** Accepts bytes and delivers lines. Bytes after the last newline are buffered until the line is complete. */
export type LineSplitter = (chunk: Buffer) => void;

/**
 * Splits a stream of bytes into lines, independently of chunk boundaries. A line is decoded when it is complete, so a character
 * can span two chunks, and a line of many megabytes is copied once. Empty lines are skipped; a last line
 * without a newline is truncated and never delivered.
 */
export function lineSplitter(onLine: (line: string) => void): LineSplitter {
  let pending: Buffer[] = [];
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const tail = chunk.subarray(start, end);
      const line = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
      pending = [];
      start = end + 1;
      if (line.length > 0) onLine(line.toString("utf8"));
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  };
}
