import { excerpt } from "./excerpt.ts";

/** A message can quote names and messages of other programs. The API allows 32768 characters. */
const longestMessage = 2000;

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  /** The `metadata.generation` that the condition was set for. */
  observedGeneration: number;
  /** Time at which `status` last changed; RFC 3339. */
  lastTransitionTime: string;
}

/** A condition as a reconciliation reports it, without the transition time. */
export interface NewCondition extends Pick<Condition, "type" | "status" | "reason" | "message"> {
  /** The generation that it is about, if this reconciliation has not checked it again. */
  readonly observedGeneration?: number;
}

/**
 * New conditions with their transition times, in the order given. `lastTransitionTime` moves only when `status` does; conditions of types
 * without a new condition are dropped.
 */
export function conditionsOf(
  updates: readonly NewCondition[],
  before: readonly Condition[],
  observedGeneration: number,
  now: Date,
): Condition[] {
  return updates.map((update): Condition => {
    const former = before.find((condition) => condition.type === update.type);
    const lastTransitionTime =
      former !== undefined && former.status === update.status ? former.lastTransitionTime : timestamp(now);
    const message = excerpt(update.message, longestMessage);
    return { observedGeneration, ...update, message, lastTransitionTime };
  });
}

/** RFC 3339 in whole seconds, as metav1.Time serialises. */
export function timestamp(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** `Reconciling` of an object without changes in progress. */
export const notReconciling: NewCondition = {
  type: "Reconciling",
  status: "False",
  reason: "NotReconciling",
  message: "No changes are in progress.",
};

/** `Stalled` of an object for which no user must act. */
export const notStalled: NewCondition = {
  type: "Stalled",
  status: "False",
  reason: "NotStalled",
  message: "No action required.",
};
