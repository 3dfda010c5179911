import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { check } from "recheck";

const root = join(import.meta.dirname, "..", "..", "src");

/** A literal begins where a value can: after an operator, a parenthesis, a comma or `return`, or at the start of a line. */
const literal =
  /(?:^|[=(,:?!&|[{;>]|\breturn)[ \t]*\/(?![/*])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([dgimsuvy]*)(?=[.,;)\]} \n])/gm;

interface Expression {
  readonly file: string;
  readonly source: string;
  readonly flags: string;
}

async function expressions(): Promise<Expression[]> {
  const found: Expression[] = [];
  for await (const file of glob("**/*.ts", { cwd: root })) {
    const code = (await readFile(join(root, file), "utf8")).replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
    for (const [, source = "", flags = ""] of code.matchAll(literal)) found.push({ file, source, flags });
  }
  return found;
}

describe("regular expressions of the operator", async () => {
  const all = await expressions();

  test("are found by this test", () => {
    const sources = all.map(({ source }) => source);
    for (const known of [String.raw`[\p{Cc}\s]+`, "^[A-Za-z0-9_-]{43}=$"]) assert.ok(sources.includes(known), known);
    assert.ok(all.length > 25, `${all.length} expressions`);
  });

  for (const { file, source, flags } of all) {
    test(`take a time that grows with the text and no faster: /${source}/${flags} in ${file}`, async () => {
      assert.doesNotThrow(() => new RegExp(source, flags));
      const { status } = await check(source, flags, { timeout: 30_000 });
      assert.equal(status, "safe", "cut the text first, or use a loop or a simpler expression");
    });
  }
});
