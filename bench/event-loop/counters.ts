/** Counters of one implementation. */
export interface Counted {
  /** Events of its watches. */
  readonly events: number;
  /** Reconciliations of a widget. */
  readonly passes: number;
}

/** Returns counters, which are sent to the parent process on request. */
export function counters() {
  let events = 0;
  let passes = 0;
  process.on("message", () => process.send?.({ events, passes } satisfies Counted));
  // The parent process has ended or disconnected.
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
