/** Counters of one implementation. */
export interface Counted {
  /** Events of its watches. */
  readonly events: number;
  /** Reconciliations of a widget. */
  readonly reconciliations: number;
}

/** Returns counters, which are sent to the parent process on request. */
export function counters() {
  let events = 0;
  let reconciliations = 0;
  process.on("message", () => process.send?.({ events, reconciliations } satisfies Counted));
  // The parent process has ended or disconnected.
  process.on("disconnect", () => process.exit());
  return {
    event: () => {
      events += 1;
    },
    reconciliation: () => {
      reconciliations += 1;
    },
  };
}
