import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { completed } from "../control-plane/completed.ts";

const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-reporter-"));
after(() => rm(directory, { recursive: true }));

await writeFile(
  join(directory, "run.ts"),
  `import { run } from "node:test";
import { emptyTally, reporter, sumLine } from ${JSON.stringify(join(import.meta.dirname, "../support/reporter.ts"))};
const tally = emptyTally();
const events = run({ files: process.argv.slice(2), concurrency: 2 });
for await (const text of events.compose(reporter(tally, import.meta.dirname))) process.stdout.write(text);
for (const skip of tally.skips) console.log(skip);
for (const failure of tally.failures) console.log("failed:", failure);
console.log(sumLine(tally));
`,
);

/** The output of the reporter for test files with these bodies, and its last line. */
async function reportOf(...bodies: readonly string[]): Promise<{ text: string; last: string | undefined }> {
  const files = bodies.map((_, index) => join(directory, `case-${index}.test.ts`));
  const head = 'import { after, before, describe, test } from "node:test";\nimport assert from "node:assert/strict";\n';
  await Promise.all(files.map((file, index) => writeFile(file, `${head}${bodies[index]}`)));
  // With this variable a test runner runs nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout, stderr } = await completed(process.execPath, [join(directory, "run.ts"), ...files], { env });
  assert.equal(stderr, "");
  return { text: stdout, last: stdout.trimEnd().split("\n").at(-1) };
}

test("prints one line for a file that passes, without its output", async () => {
  const { text } = await reportOf('test("a", () => console.log("noise")); test("b", () => {});');
  assert.match(text, /^✔ case-0\.test\.ts {2}2 tests, \d+\.\d s\n2 passed, 0 failed, 0 skipped\n$/);
});

test("prints diagnostics of a test below its file", async () => {
  const { text } = await reportOf('test("a", (t) => t.diagnostic("12 ms"));');
  assert.match(text, /^✔ case-0\.test\.ts {2}1 tests, \d+\.\d s\n {4}12 ms\n1 passed/);
});

test("prints order and duration of a file that was ended with open handles", async () => {
  const open = 'test("a", () => {}); setInterval(() => {}, 1000); after(() => setTimeout(() => process.exit(), 500));';
  const { text } = await reportOf(open, 'test("b", () => {});', open);
  assert.deepEqual(text.match(/case-\d/g), ["case-0", "case-1", "case-2"]);
  const times = [...text.matchAll(/case-[02]\.test\.ts {2}1 tests, (\d+\.\d) s/g)].map(([, seconds]) =>
    Number(seconds),
  );
  assert.ok(times.length === 2 && times.every((seconds) => seconds >= 0.5), text);
});

test("counts leaf tests, not suites and parents", async () => {
  const { last } = await reportOf(`
    describe("suite", () => { test("1", () => {}); describe("inner", () => { test("2", () => {}); }); });
    test("parent", async (t) => { await t.test("3", () => {}); await t.test("4", () => {}); });`);
  assert.equal(last, "4 passed, 0 failed, 0 skipped");
});

test("prints a failure with the output of the file, and counts it once", async () => {
  const { text, last } = await reportOf(
    'describe("suite", () => { test("bad", () => { console.log("a clue"); assert.equal(1, 2); }); test("good", () => {}); });',
  );
  assert.match(text, /✖ case-0\.test\.ts/);
  assert.match(text, /case-0\.test\.ts > bad\n {2}at .*case-0\.test\.ts:\d+:\d+/);
  assert.match(text, /1 !== 2/);
  assert.match(text, /a clue/);
  assert.match(text, /^failed: case-0\.test\.ts > bad$/m);
  assert.equal(last, "1 passed, 1 failed, 0 skipped");
});

test("lists skipped and todo tests with their reasons", async () => {
  const { text, last } = await reportOf(`
    test("one", { skip: "no engine" }, () => {});
    test("two", (t) => t.skip("no image"));
    test("three", { todo: "later" }, () => { throw new Error(); });
    describe("four", { skip: "no nodes" }, () => { test("inner", () => {}); });`);
  assert.match(text, /> one: skipped, no engine\n/);
  assert.match(text, /> two: skipped, no image\n/);
  assert.match(text, /> three: todo, later\n/);
  assert.match(text, /> (four|inner): skipped, no nodes\n/);
  assert.equal(last, "0 passed, 0 failed, 4 skipped");
});

test("reports failures outside tests", async () => {
  for (const [body, failed] of [
    ['throw new Error("boom");', 1],
    ["", 1],
    ['test("killed", () => { process.kill(process.pid, "SIGKILL"); });', 1],
    ['test("good", () => {}); process.exitCode = 3;', 1],
    ['test("late", () => { setTimeout(() => { throw new Error("late"); }, 20); });', 1],
    ['describe("s", () => { after(() => { throw new Error("after"); }); test("good", () => {}); });', 1],
    ['describe("s", () => { throw new Error("in the suite"); });', 1],
  ] as const) {
    const { text, last } = await reportOf(body);
    assert.match(text, /^failed: case-0\.test\.ts/m);
    assert.match(last ?? "", new RegExp(`^\\d passed, ${failed} failed, 0 skipped$`), `${body}\n${text}`);
  }
});
