import { setTimeout as sleep } from "node:timers/promises";

/**
 * Resolves with what `assertion` returns as soon as it no longer throws; rejects with what it threw last once `seconds`
 * are over. For what other processes bring about: nothing tells when, so it is looked at again and again. How long it may
 * take says nothing of how long it takes: by default what a machine needs that has many other things to do. It is looked at twice
 * at least, since one look may take all the time.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, seconds = 60): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (let looks = 1; ; looks += 1) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline && looks > 1) throw error;
      await sleep(100);
    }
  }
}

/** Rejects with what `assertion` throws at any time within `seconds`. */
export async function steadily(assertion: () => unknown, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    await assertion();
    await sleep(50);
  }
}
