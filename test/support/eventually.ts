import { setTimeout as sleep } from "node:timers/promises";

/**
 * Resolves with what `assertion` returns as soon as it no longer throws; rejects with what it threw last once `seconds`
 * are over. For what other processes bring about: nothing tells when, so it is looked at again and again. How long it may
 * take says nothing of how long it takes: by default what a machine needs that has many other things to do.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, seconds = 60): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline) throw error;
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
