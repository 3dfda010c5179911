import type { Reason } from "../api/reasons.ts";

/** A reason and a message for a condition. The message names the object and, for a problem, the fix. */
export interface Cause {
  readonly reason: Reason;
  readonly message: string;
}

/** The maximum number of causes in a message, and its maximum length: `kubectl describe` shows it on one line. */
const listed = 10;
const longestMessage = 4096;

/** Several causes as one: the reason of the first, and a message that lists all of them in order. */
export function combined([first, ...others]: readonly [Cause, ...Cause[]]): Cause {
  if (others.length === 0) return first;
  const all = [first, ...others];
  const shown = all.slice(0, listed).map(({ message }, index) => `(${index + 1}) ${message}`);
  const rest = all.length > listed ? [`and ${all.length - listed} more`] : [];
  const message = `${all.length} problems: ${[...shown, ...rest].join("; ")}`;
  const text = message.length > longestMessage ? `${message.slice(0, longestMessage - 1)}…` : message;
  return { reason: first.reason, message: text };
}
