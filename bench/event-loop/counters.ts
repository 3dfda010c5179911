/** What a contestant has counted of itself. */
export interface Counted {
  /** Changes that its watches told. */
  readonly events: number;
  /** Passes over a widget, whether or not there was something to do. */
  readonly passes: number;
}

/** Counts, and tells whoever started this process and asks. */
export function counters() {
  let events = 0;
  let passes = 0;
  process.on("message", () => process.send?.({ events, passes } satisfies Counted));
  // Whoever started this process is gone, or does not want it any more.
  process.on("disconnect", () => process.exit());
  return {
    event: () => {
      events += 1;
    },
    pass: () => {
      passes += 1;
    },
  };
}
