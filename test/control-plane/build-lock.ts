import { open, readFile, rename, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./leftovers.ts";

/**
 * Holds `path` while `work` runs, so that of several processes one works and the others wait for it.
 * A lock whose owner died is taken over. `waiting` is called once with the owner's pid if there is someone to wait for.
 */
export async function withLock<T>(path: string, waiting: (owner: number) => void, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!(await taken(path))) {
    const owner = await ownerOf(path);
    if (owner === undefined) continue;
    if (!isAlive(owner)) {
      await discard(path);
      continue;
    }
    if (!told) waiting(owner);
    told = true;
    await sleep(500);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function taken(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o600);
    await file.writeFile(`${process.pid}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function ownerOf(path: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const pid = Number.parseInt(text, 10);
  if (pid > 0) return pid;
  // Created and not yet written, or its writer died in between: give it a moment, then count it as dead.
  await sleep(1000);
  return Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10) || 0;
}

/** A rename has one winner, so that two processes that find the same dead owner do not remove each other's new lock. */
async function discard(path: string): Promise<void> {
  const grave = `${path}.${process.pid}.stale`;
  await rename(path, grave).catch(() => {});
  await rm(grave, { force: true });
}
