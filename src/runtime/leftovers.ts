/** Gives back to the system what a burst of work leaves in the heap. */
export interface Leftovers {
  /** Something has been done that leaves something; so much of it. */
  readonly left: (amount?: number) => void;
  readonly stop: () => void;
}

/** A burst is at least so much; after a few passes there is nothing worth a collection of some 30 ms. */
export const burst = 100;

/** Until then V8 may be given more to do. */
const secondsOfQuiet = 2;

/**
 * V8 keeps the pages that a burst needed until it takes the process for idle, which events of a busy cluster put off. So when a burst is over, it
 * is asked once for a collection that also returns pages; there where Node is started with --expose-gc, as in the image.
 */
export function leftovers(): Leftovers {
  let amount = 0;
  let timer: NodeJS.Timeout | undefined;
  function collect(): void {
    amount = 0;
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  }
  return {
    left: (more = 1) => {
      amount += more;
      clearTimeout(timer);
      if (amount >= burst) timer = setTimeout(collect, secondsOfQuiet * 1000).unref();
    },
    stop: () => clearTimeout(timer),
  };
}
