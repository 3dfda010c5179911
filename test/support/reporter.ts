import { relative } from "node:path";
import type { EventData } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

/** Leaf tests, not suites, over all tiers and checks of one run. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** One line for each skipped test or tier: what, and why. */
  readonly skips: string[];
  /** The title of each failed test, one entry for each time that it failed. */
  readonly failures: string[];
}

export const emptyTally = (): Tally => ({ passed: 0, failed: 0, skipped: 0, skips: [], failures: [] });

/** The last line of a run. */
export const sumLine = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** `✔ what  12 tests, 1.2 s`: one line for a file or a check. */
export function resultLine(ok: boolean, what: string, detail: string, milliseconds: number): string {
  return `${ok ? "✔" : "✖"} ${what}  ${detail}${(milliseconds / 1000).toFixed(1)} s\n`;
}

type Ended = Extract<TestEvent, { type: "test:pass" | "test:fail" }>;

interface FileState {
  passed: number;
  failed: number;
  skipped: number;
  /** Tests ended at each depth since the last one ended at the depth above it: a test with any below it is no leaf. */
  readonly ended: number[];
  readonly failures: string[];
  /** What its tests said by `context.diagnostic`. */
  readonly notes: string[];
  readonly output: string[];
}

/**
 * A reporter for `run()` of node:test with process isolation: one line for a file that passes, with its
 * diagnostics below it, everything about a failure with the file's output, and counts added to `tally`. A test marked todo counts as skipped, whatever it does;
 * a file without tests as failed. Names are given relative to `root`. Files come in the order in which they were given:
 * node:test holds back what one tells until all before it have ended.
 */
export function reporter(tally: Tally, root: string): (events: AsyncIterable<TestEvent>) => AsyncGenerator<string> {
  const files = new Map<string, FileState>();
  const ended = new Map<string, number>();
  const stateOf = (file: string): FileState => {
    const state = files.get(file) ?? freshState();
    files.set(file, state);
    return state;
  };
  const finish = (file: string, milliseconds: number): string => {
    const state = stateOf(file);
    files.delete(file);
    tally.passed += state.passed;
    tally.failed += state.failed;
    tally.skipped += state.skipped;
    return fileReport(relative(root, file), state, milliseconds);
  };
  /** Files that have told all and gave no sum, as one does not that was ended with something still open; with their time. */
  const unsummed = (current?: string) =>
    [...files.keys()].filter((file) => file !== current).map((file) => [file, ended.get(file) ?? 0] as const);
  return async function* report(events) {
    for await (const event of events) {
      const file = event.data && fileOf(event.data);
      if (!file) continue;
      if (event.type === "test:complete" && event.data.name === file) ended.set(file, event.data.details.duration_ms);
      if (event.type === "test:start") {
        stateOf(file);
        for (const [former, milliseconds] of unsummed(file)) yield finish(former, milliseconds);
      }
      if (event.type === "test:diagnostic") stateOf(file).notes.push(event.data.message);
      if (event.type === "test:stdout" || event.type === "test:stderr") stateOf(file).output.push(event.data.message);
      if (event.type === "test:pass" || event.type === "test:fail") {
        if (event.data.name === file) {
          wholeFile(stateOf(file), event);
          tally.failures.push(relative(root, file));
          yield finish(file, event.data.details.duration_ms);
        } else oneTest(stateOf(file), event, `${relative(root, file)} > ${event.data.name}`, tally);
      }
      if (event.type === "test:summary" && files.has(file)) yield finish(file, event.data.duration_ms);
    }
    for (const [file, milliseconds] of unsummed()) yield finish(file, milliseconds);
  };
}

const freshState = (): FileState => ({
  passed: 0,
  failed: 0,
  skipped: 0,
  ended: [],
  failures: [],
  notes: [],
  output: [],
});

/** The file that was run: a test may be declared in a module that it imports. */
function fileOf(data: object): string | undefined {
  if ("entryFile" in data && typeof data.entryFile === "string") return data.entryFile;
  return "file" in data && typeof data.file === "string" ? data.file : undefined;
}

/** Node reports the file as a test of its own when it has no tests, or failed outside them. */
function wholeFile(state: FileState, event: Ended): void {
  state.failed += 1;
  const outside = event.type === "test:fail" && `failed outside its tests: ${described(event.data.details.error)}`;
  state.failures.push(outside || "has no tests: add one, or remove the file");
}

function oneTest(state: FileState, event: Ended, title: string, tally: Tally): void {
  const { nesting, skip, todo, details } = event.data;
  const isLeaf = (state.ended[nesting + 1] ?? 0) === 0;
  state.ended[nesting + 1] = 0;
  state.ended[nesting] = (state.ended[nesting] ?? 0) + 1;
  // `skip` and `todo` are the reason, or true, or an empty string; undefined means neither.
  const reason = skip ?? todo;
  if (reason !== undefined && reason !== false) {
    if (!isLeaf) return;
    state.skipped += 1;
    const kind = skip === undefined ? "todo" : "skipped";
    tally.skips.push(`${title}: ${kind}${typeof reason === "string" && reason ? `, ${reason}` : ", without a reason"}`);
  } else if (event.type === "test:pass") {
    if (isLeaf && details.type !== "suite") state.passed += 1;
  } else if (!isConsequence(event.data)) {
    state.failed += 1;
    tally.failures.push(title);
    const { file = "", line = 0, column = 0 } = event.data;
    state.failures.push(`${title}\n  at ${file}:${line}:${column}\n${described(event.data.details.error)}`);
  }
}

/** It failed only because a test in it did, which is counted by itself. */
function isConsequence({ details }: EventData.TestFail): boolean {
  return "failureType" in details.error && details.error.failureType === "subtestsFailed";
}

function described(error: Error): string {
  return inspect("cause" in error && error.cause !== undefined ? error.cause : error, { colors: false, depth: 6 });
}

/** What is told without a need is to be read at a glance. */
function shortened(text: string): string {
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}

/** Output beyond this many lines is cut from its start. */
const outputLines = 400;

function fileReport(file: string, state: FileState, milliseconds: number): string {
  const { passed, failed, skipped, failures, notes, output } = state;
  const count = [
    `${passed + failed} tests`,
    ...(failed ? [`${failed} failed`] : []),
    ...(skipped ? [`${skipped} skipped`] : []),
  ];
  const line = resultLine(failed === 0, file, `${count.join(", ")}, `, milliseconds);
  const told = notes.map((text) => `    ${failed === 0 ? shortened(text) : text}\n`);
  if (failed === 0) return [line, ...told].join("");
  const said = output.join("").trimEnd().split("\n").slice(-outputLines).join("\n");
  return [
    line,
    ...failures.map((text) => `\n  ✖ ${text}\n`),
    ...told,
    ...(said ? [`\n  Output of ${file}:\n${said}\n`] : []),
    "\n",
  ].join("");
}
