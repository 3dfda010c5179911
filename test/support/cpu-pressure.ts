import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

/** Keeps every processor busy until `end` is called or this process ends: one endless loop for each. */
export function startCpuPressure(): { readonly end: () => Promise<void> } {
  const workers = Array.from({ length: availableParallelism() }, () => new Worker("for (;;);", { eval: true }));
  return { end: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))) };
}
