import { readdirSync, readFileSync } from "node:fs";
import { processUsage } from "../process-usage.ts";

/** Returns a process and its descendants, from /proc. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(
      read(`/proc/${pid}/stat`)
        ?.replace(/^.*\) /s, "")
        .split(" ")[1],
    );
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** Returns the CPU time of the processes so far, in milliseconds. */
export function cpuMilliseconds(roots: readonly number[]): number {
  return roots.flatMap(processTree).reduce((sum, pid) => sum + usageOf(pid), 0);
}

/** Returns the proportional set size (PSS) of the processes, in MiB. */
export function pssMebibytes(roots: readonly number[]): number {
  const kibibytes = roots.flatMap(processTree).map((pid) => {
    const [, found] = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? "") ?? [];
    return Number(found ?? 0);
  });
  return kibibytes.reduce((sum, each) => sum + each, 0) / 1024;
}

function usageOf(pid: number): number {
  try {
    return processUsage(pid).cpuMilliseconds;
  } catch {
    return 0;
  }
}

/** Undefined if the process has ended. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
