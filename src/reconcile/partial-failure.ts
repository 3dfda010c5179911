const errors = new WeakSet<object>();

/** Marks the error of a reconciliation that has made some of its writes, and returns it. */
export function markPartial(error: unknown): unknown {
  if (typeof error === "object" && error !== null) errors.add(error);
  return error;
}

/** Whether the reconciliation that failed with this error has made some of its writes. */
export function isPartial(error: unknown): boolean {
  return typeof error === "object" && error !== null && errors.has(error);
}
