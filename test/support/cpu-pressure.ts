import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

/** Runs an endless loop for each processor until `end` is called or this process ends. */
export function startCpuPressure(): { readonly end: () => Promise<void> } {
  const workers = Array.from({ length: availableParallelism() }, () => new Worker("for (;;);", { eval: true }));
  return { end: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))) };
}
