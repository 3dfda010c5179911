import { parseArgs } from "node:util";

/** Options of the test command. */
export interface RunOptions {
  readonly help: boolean;
  /** How many times the files of each tier run, one run after the other, in the same environment. */
  readonly repeat: number;
  /** Whether busy threads run next to the tests. */
  readonly cpuPressure: boolean;
  /** Tiers, folders and files. */
  readonly names: readonly string[];
}

/** Throws for an option that is unknown or has a wrong value. */
export function runOptions(args: readonly string[]): RunOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: "boolean", default: false },
      repeat: { type: "string", default: "1" },
      "cpu-pressure": { type: "boolean", default: false },
    },
  });
  if (!/^[1-9]\d{0,2}$/.test(values.repeat))
    throw new Error(`--repeat is "${values.repeat}": give a number of runs from 1 to 999.`);
  return {
    help: values.help,
    repeat: Number(values.repeat),
    cpuPressure: values["cpu-pressure"],
    names: positionals,
  };
}

/** One line for each test that failed at least once in `runs` runs, with its count, the most frequent first. */
export function failureCounts(failures: readonly string[], runs: number): readonly string[] {
  const counts = new Map<string, number>();
  for (const title of failures) counts.set(title, (counts.get(title) ?? 0) + 1);
  return [...counts]
    .sort(([a, countOfA], [b, countOfB]) => countOfB - countOfA || a.localeCompare(b))
    .map(([title, count]) => `${count} of ${runs} runs failed: ${title}`);
}
