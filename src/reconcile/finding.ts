import type { Reason } from "../api/reasons.ts";

/** What is the case, and a sentence for people: it names the object and, where something is wrong, the remedy. */
export interface Cause {
  readonly reason: Reason;
  readonly message: string;
}
