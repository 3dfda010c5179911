import type { NewCondition } from "../kube/conditions.ts";

/** `Reconciling` of an object without changes in progress. */
export const notReconciling: NewCondition = {
  type: "Reconciling",
  status: "False",
  reason: "NotReconciling",
  message: "No changes are in progress.",
};

/** `Stalled` of an object that does not need a person. */
export const notStalled: NewCondition = {
  type: "Stalled",
  status: "False",
  reason: "NotStalled",
  message: "No action required.",
};
