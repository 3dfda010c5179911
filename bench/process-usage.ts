import { readFileSync } from "node:fs";

/** What a process has used so far and uses now. */
export interface ProcessUsage {
  readonly cpuMilliseconds: number;
  readonly rssBytes: number;
}

/** Linux counts the time of a process in hundredths of a second, whatever the kernel's own clock. */
const millisecondsPerTick = 10;

/** From /proc, so on Linux only. Throws when there is no such process. */
export function processUsage(pid: number): ProcessUsage {
  // The second field is the program's name in parentheses and may contain anything.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [user, system] = [Number(stat[11]), Number(stat[12])];
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuMilliseconds: (user + system) * millisecondsPerTick, rssBytes: Number(kibibytes) * 1024 };
}

export const mebibytes = (bytes: number) => bytes / 2 ** 20;
