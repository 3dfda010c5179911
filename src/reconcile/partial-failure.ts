const errors = new WeakSet<object>();

/** The error of a pass that has written some of what it had to write; gives it back. */
export function markPartial(error: unknown): unknown {
  if (typeof error === "object" && error !== null) errors.add(error);
  return error;
}

/** Whether the pass that failed with this has come nearer to its end all the same. */
export function isPartial(error: unknown): boolean {
  return typeof error === "object" && error !== null && errors.has(error);
}
