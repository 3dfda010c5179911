import assert from "node:assert/strict";
import { test } from "node:test";
import type { Program } from "../../src/resources/pod/program.ts";
import * as programs from "../../src/resources/python-programs.ts";

const files = new Set(Object.keys(programs.pythonTexts).map((path) => path.replace(/\.py$/, "")));

/** The modules of this project that a text imports when it is loaded. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:from|import) (\w+)/gm)].map(([, name = ""]) => name).filter((name) => files.has(name));
}

const isProgram = (value: unknown): value is Program =>
  typeof value === "object" && value !== null && "text" in value && "modules" in value;

test("each module of a program imports only earlier ones, and the program only those", () => {
  const found = Object.entries(programs).filter((entry): entry is [string, Program] => isProgram(entry[1]));
  assert.ok(found.length >= 10);
  for (const [what, { text, modules }] of found) {
    const loaded: string[] = [];
    for (const [name, ofModule] of [...Object.entries(modules), [what, text] as const]) {
      const missing = importsOf(ofModule).filter((each) => !loaded.includes(each));
      assert.deepEqual(missing, [], `${what}: ${name} is loaded before what it imports`);
      loaded.push(name);
    }
  }
});
