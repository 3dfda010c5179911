import { setTimeout as sleep } from "node:timers/promises";

/**
 * Resolves with the result of `assertion` as soon as it does not throw; rejects with its last error after `seconds`. For
 * effects of other processes, which are polled, less often the longer they take: most attempts are requests, which keep the
 * API server busy. The default timeout is for a busy machine. There are at least two attempts, since one can take the whole time.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, seconds = 60): Promise<T> {
  const began = performance.now();
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await assertion();
    } catch (error) {
      const elapsed = performance.now() - began;
      if (elapsed > seconds * 1000 && attempts > 1) throw error;
      await sleep(Math.min(250, Math.max(50, elapsed / 5)));
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
