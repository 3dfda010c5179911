import { readFileSync } from "node:fs";

/** CPU time so far and current memory of a process. */
export interface ProcessUsage {
  readonly cpuMilliseconds: number;
  readonly rssBytes: number;
}

/** /proc has CPU times in hundredths of a second, independent of the kernel's clock rate. */
const millisecondsPerTick = 10;

/** Reads /proc, so it works only on Linux. Throws if the process does not exist. */
export function processUsage(pid: number): ProcessUsage {
  // The second field is the name of the program in parentheses, which can contain any character.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [user, system] = [Number(stat[11]), Number(stat[12])];
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuMilliseconds: (user + system) * millisecondsPerTick, rssBytes: Number(kibibytes) * 1024 };
}

export const mebibytes = (bytes: number) => bytes / 2 ** 20;
