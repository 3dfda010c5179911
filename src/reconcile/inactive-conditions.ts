import type { NewCondition } from "../kube/conditions.ts";

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
