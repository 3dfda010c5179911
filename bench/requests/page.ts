import { readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { table } from "../table.ts";
import { version } from "./environment.ts";

const page = "docs/performance.md";

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export const textOf = (tables: readonly Table[]) => tables.map(({ head, rows }) => table(head, rows)).join("\n\n");

/** Returns an amount and its ratio to another one. */
export function ratio(amount = 0, base = 0, digits = 1): string {
  return `${amount.toFixed(digits)} (${(amount / base).toFixed(2)})`;
}

/** Replaces a section of the page, between its two markers. */
export async function writeSection(name: string, note: string, tables: readonly Table[]): Promise<void> {
  const path = join(import.meta.dirname, "../..", page);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const markdown = tables.map(({ head, rows }) =>
    [line(head), line(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n"),
  );
  const text = await readFile(path, "utf8");
  const [start, end] = [`<!-- ${name}: start -->\n`, `<!-- ${name}: end -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`${page} has no markers for ${name}.`);
  const content = [`MLflow ${version}, ${machine()}, ${note}`, ...markdown].join("\n\n");
  await writeFile(path, `${text.slice(0, from + start.length)}${content}\n${text.slice(to)}`);
}

/** Returns processors and memory, and the load, because other processes change the figures. */
function machine(): string {
  const [cpu] = cpus();
  const [, load = 0] = loadavg();
  const amount = (totalmem() / 2 ** 30).toFixed(0);
  return `${cpus().length} × ${cpu?.model ?? "CPU"}, ${amount} GiB, load ${load.toFixed(1)} at the end`;
}
