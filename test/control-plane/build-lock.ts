import { open, readFile, rename, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./temporary-directory.ts";

/**
 * Holds the lock `path` while `work` runs; other processes wait for it.
 * A lock of a process that has ended is acquired. `waiting` is called once with the owner's pid if the lock is held.
 */
export async function withLock<T>(path: string, waiting: (owner: number) => void, work: () => Promise<T>): Promise<T> {
  let isReported = false;
  while (!(await taken(path))) {
    const owner = await ownerOf(path);
    if (owner === undefined) continue;
    if (!isAlive(owner)) {
      await discard(path);
      continue;
    }
    if (!isReported) waiting(owner);
    isReported = true;
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
  // Created but not written: wait a moment, then treat its owner as dead.
  await sleep(1000);
  return Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10) || 0;
}

/** Only one rename succeeds, so two processes that detect the same dead owner do not remove each other's new lock. */
async function discard(path: string): Promise<void> {
  const stalePath = `${path}.${process.pid}.stale`;
  await rename(path, stalePath).catch(() => {});
  await rm(stalePath, { force: true });
}
