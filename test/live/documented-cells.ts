import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Returns the Python cell under a heading of docs/clients.md, with these words replaced. */
export type Cell = (heading: string, replaced?: Readonly<Record<string, string>>) => string;

export async function documentedCells(): Promise<Cell> {
  const page = await readFile(join(import.meta.dirname, "../../docs/clients.md"), "utf8");
  return (heading, replaced = {}) => {
    const [, section] = page.split(`\n## ${heading}\n`);
    assert.ok(section !== undefined, `docs/clients.md has no heading ${heading}`);
    const [, code] = /```python\n(.*?)```/s.exec(section.split("\n## ")[0] ?? "") ?? [];
    assert.ok(code !== undefined, `docs/clients.md has no Python under ${heading}`);
    return Object.entries(replaced).reduce((text, [from, to]) => {
      assert.ok(text.includes(from), `there is no ${from} under ${heading}`);
      return text.replaceAll(from, to);
    }, code);
  };
}
