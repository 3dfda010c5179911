/** Shows lines that change: drawn over on a terminal, elsewhere printed when they differ, each line that is new. */
export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** The current picture, in place of the former one. */
  show(lines: readonly string[]): void;
  /** Silence is meant, until something is said again. */
  rest(): void;
}

/** After so many seconds of silence the last line is said again, with "still". */
const longSilence = 15;

export function screen(output: NodeJS.WriteStream, begun = Date.now()): Screen {
  let shown: readonly string[] = [];
  let last = "";
  let spoke = begun;
  const width = () => output.columns ?? 160;
  const cut = (line: string) => (line.length > width() ? `${line.slice(0, width() - 1)}…` : line);
  const stamped = (line: string) => `${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}\n`;
  const erase = () => {
    if (output.isTTY && shown.length > 0) output.write(`\x1b[${shown.length}A\x1b[J`);
  };
  const write = (line: string) => {
    erase();
    output.write(stamped(line));
    if (output.isTTY) for (const each of shown) output.write(`${cut(each)}\n`);
    spoke = Date.now();
  };
  let rests = false;
  setInterval(() => {
    if (!rests && Date.now() - spoke >= longSilence * 1000) write(`  still: ${last}`);
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
      spoke = Date.now();
    },
    rest: () => {
      rests = true;
    },
  };
}
