import { existsSync } from "node:fs";
import { join } from "node:path";
import { completed } from "../control-plane/completed.ts";
import { resultLine, type Tally } from "./reporter.ts";

interface Check {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** The check is skipped if this file does not exist. */
  readonly needs?: string;
}

const checks: readonly Check[] = [
  { name: "format and lint (biome)", program: "node_modules/.bin/biome", args: ["check", "--error-on-warnings", "."] },
  { name: "methods keep their object (oxlint)", program: "node_modules/.bin/oxlint", args: ["--type-aware"] },
  { name: "types (tsc)", program: "node_modules/.bin/tsc", args: ["--noEmit"] },
  {
    name: "no dead exports, files or dependencies (knip)",
    program: "node_modules/.bin/knip",
    args: ["--no-config-hints"],
  },
  {
    name: "spelling (cspell)",
    program: "node_modules/.bin/cspell",
    args: ["lint", "--no-progress", "--no-summary"],
  },
  ...[
    { name: "format and lint of Python (ruff)", step: "lint" },
    { name: "types of Python (mypy)", step: "types" },
    { name: "tests of Python without MLflow (pytest)", step: "tests" },
  ].map(({ name, step }) => ({
    name,
    program: "node_modules/.bin/node",
    args: ["scripts/check-python.ts", step],
    needs: "scripts/check-python.ts",
  })),
  {
    name: "generated files are up to date",
    program: "node_modules/.bin/node",
    args: ["scripts/generate.ts", "--check"],
    needs: "scripts/generate.ts",
  },
];

/** Runs the checks of the whole tree; each counts as a test. */
export async function runChecks(root: string, tally: Tally, write: (text: string) => void): Promise<void> {
  for (const { name, program, args, needs } of checks) {
    if (needs && !existsSync(join(root, needs))) continue;
    const began = Date.now();
    const { code, stdout, stderr } = await completed(join(root, program), args, { cwd: root });
    write(resultLine(code === 0, name, "", Date.now() - began));
    if (code === 0) tally.passed += 1;
    else {
      tally.failed += 1;
      write(`\n${stdout}${stderr}\n`);
    }
  }
}
