/** Shows changing lines: redrawn on a terminal, otherwise each new line is printed. */
export interface Screen {
  /** Prints a permanent line. */
  readonly say: (line: string) => void;
  /** Replaces the current lines. */
  readonly show: (lines: readonly string[]) => void;
  /** Stops repeating the last line until the next one. */
  readonly rest: () => void;
}

/** Without output for this number of seconds, the last line is repeated with "still". */
const repeatSeconds = 15;

export function screen(output: NodeJS.WriteStream, started = Date.now()): Screen {
  let shown: readonly string[] = [];
  let last = "";
  let lastOutput = started;
  const width = () => output.columns ?? 160;
  const cut = (line: string) => (line.length > width() ? `${line.slice(0, width() - 1)}…` : line);
  const stamped = (line: string) => `${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`;
  const erase = () => {
    if (output.isTTY && shown.length > 0) output.write(`\x1b[${shown.length}A\x1b[J`);
  };
  const write = (line: string) => {
    erase();
    output.write(stamped(line));
    if (output.isTTY) for (const each of shown) output.write(`${cut(each)}\n`);
    lastOutput = Date.now();
  };
  let rests = false;
  setInterval(() => {
    if (!rests && Date.now() - lastOutput >= repeatSeconds * 1000) write(`  still: ${last}`);
  }, 1000).unref();
  return {
    say: (line) => {
      rests = false;
      last = line.trim();
      write(line);
    },
    show: (lines) => {
      if (lines.join("\n") === shown.join("\n")) return;
      if (output.isTTY) {
        erase();
        for (const line of lines) output.write(`${cut(line)}\n`);
      } else for (const line of lines) if (!shown.includes(line)) output.write(stamped(line));
      shown = lines;
      lastOutput = Date.now();
    },
    rest: () => {
      rests = true;
    },
  };
}
