/** Shows lines that change: drawn over on a terminal, elsewhere printed when they differ, each line that is new. */
export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** The current picture, in place of the former one. */
  show(lines: readonly string[]): void;
}

export function screen(output: NodeJS.WriteStream, begun = Date.now()): Screen {
  let shown: readonly string[] = [];
  const width = () => output.columns ?? 160;
  const cut = (line: string) => (line.length > width() ? `${line.slice(0, width() - 1)}…` : line);
  const erase = () => {
    if (output.isTTY && shown.length > 0) output.write(`\x1b[${shown.length}A\x1b[J`);
  };
  return {
    say: (line) => {
      erase();
      const seconds = ((Date.now() - begun) / 1000).toFixed(1).padStart(6);
      output.write(`${seconds} s  ${line}\n`);
      if (output.isTTY) for (const each of shown) output.write(`${cut(each)}\n`);
    },
    show: (lines) => {
      if (lines.join("\n") === shown.join("\n")) return;
      if (output.isTTY) {
        erase();
        for (const line of lines) output.write(`${cut(line)}\n`);
      } else {
        const seconds = ((Date.now() - begun) / 1000).toFixed(1).padStart(6);
        for (const line of lines) if (!shown.includes(line)) output.write(`${seconds} s  ${line}\n`);
      }
      shown = lines;
    },
  };
}
