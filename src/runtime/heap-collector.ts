/** Returns heap memory to the operating system after a burst of work. */
export interface HeapCollector {
  /** Records an amount of work that allocated memory. Default: 1. */
  readonly noteWork: (amount?: number) => void;
  readonly stop: () => void;
}

/** Amount of work that triggers a collection: after a few reconciliations it is not worth its 30 ms. */
export const burst = 100;

/** Delay of the collection after the last work. */
const secondsOfQuiet = 2;

/**
 * V8 keeps the pages of a burst until the process is idle, which events of a busy cluster prevent. So one garbage collection that
 * also returns pages runs after each burst. Requires --expose-gc, as in the image.
 */
export function heapCollector(): HeapCollector {
  let amount = 0;
  let timer: NodeJS.Timeout | undefined;
  function collect(): void {
    amount = 0;
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  }
  return {
    noteWork: (more = 1) => {
      amount += more;
      clearTimeout(timer);
      if (amount >= burst) timer = setTimeout(collect, secondsOfQuiet * 1000).unref();
    },
    stop: () => clearTimeout(timer),
  };
}
