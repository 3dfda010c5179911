import { setTimeout as sleep } from "node:timers/promises";

/**
 * Resolves with the result of `assertion` as soon as it does not throw; rejects with its last error after `seconds`. For
 * effects of other processes, which are polled. The default timeout is for a busy machine. There are at least two
 * attempts, since one can take the whole time.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, seconds = 60): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline && attempts > 1) throw error;
      await sleep(100);
    }
  }
}

/** Rejects if `assertion` throws at any time within `seconds`. */
export async function steadily(assertion: () => unknown, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    await assertion();
    await sleep(50);
  }
}
