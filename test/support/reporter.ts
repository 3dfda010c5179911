import { relative } from "node:path";
import type { EventData } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

/** Leaf tests, not suites, over all tiers and checks of one run. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** One line for each skipped test or tier, with the reason. */
  readonly skips: string[];
  /** The title of each failed test, with one entry for each failure. */
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
  /** Tests that ended at each depth since the last one at the depth above: a test with tests below it is not a leaf. */
  readonly ended: number[];
  readonly failures: string[];
  /** Diagnostics of its tests (`context.diagnostic`). */
  readonly notes: string[];
  readonly output: string[];
}

/**
 * A reporter for `run()` of node:test with process isolation: one line for a file that passes, with its
 * diagnostics below it, all details of a failure with the output of the file, and counts in `tally`. A test marked todo counts as skipped;
 * a file without tests as failed. Names are relative to `root`. Files are in the given order, since
 * node:test delays the events of a file until the files before it have ended.
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
  /** Files without a summary event, such as those that were ended with open handles, with their duration. */
  const unsummed = (current?: string) =>
    [...files.keys()].filter((file) => file !== current).map((file) => [file, ended.get(file) ?? 0] as const);
  return async function* report(events) {
    for await (const event of events) {
      const file = event.data && fileOf(event.data);
      if (!file) continue;
      if (event.type === "test:complete" && event.data.name === file) ended.set(file, event.data.details.duration_ms);
      if (event.type === "test:start") {
        stateOf(file);
        for (const [previous, milliseconds] of unsummed(file)) yield finish(previous, milliseconds);
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

/** The file that was run: a test can be declared in an imported module. */
function fileOf(data: object): string | undefined {
  if ("entryFile" in data && typeof data.entryFile === "string") return data.entryFile;
  return "file" in data && typeof data.file === "string" ? data.file : undefined;
}

/** Node reports the file as a test if it has no tests or failed outside them. */
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

/** It failed only because a subtest failed, which is counted separately. */
function isConsequence({ details }: EventData.TestFail): boolean {
  return "failureType" in details.error && details.error.failureType === "subtestsFailed";
}

function described(error: Error): string {
  return inspect("cause" in error && error.cause !== undefined ? error.cause : error, { colors: false, depth: 6 });
}

/** Diagnostics of passed tests are truncated. */
function shortened(text: string): string {
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}

/** Only this number of lines at the end of the output is shown. */
const outputLines = 400;

function fileReport(file: string, state: FileState, milliseconds: number): string {
  const { passed, failed, skipped, failures, notes, output } = state;
  const count = [
    `${passed + failed} tests`,
    ...(failed ? [`${failed} failed`] : []),
    ...(skipped ? [`${skipped} skipped`] : []),
  ];
  const line = resultLine(failed === 0, file, `${count.join(", ")}, `, milliseconds);
  const diagnostics = notes.map((text) => `    ${failed === 0 ? shortened(text) : text}\n`);
  if (failed === 0) return [line, ...diagnostics].join("");
  const shownOutput = output.join("").trimEnd().split("\n").slice(-outputLines).join("\n");
  return [
    line,
    ...failures.map((text) => `\n  ✖ ${text}\n`),
    ...diagnostics,
    ...(shownOutput ? [`\n  Output of ${file}:\n${shownOutput}\n`] : []),
    "\n",
  ].join("");
}
