import { notReconciling, notStalled } from "../../kube/conditions.ts";
import type { ServerCondition } from "./condition.ts";

/** The conditions of kstatus: exactly one is True, or none while `Ready` is Unknown. */
export const stateConditions: readonly ServerCondition[] = [
  {
    type: "Ready",
    meaning: "All pods of this generation run and are ready. GitOps tools and `kubectl wait` should wait for it.",
    isIndependentOfSpec: true,
    state: ({ outcome: { state, cause, isUncertain } }) => ({
      status: isUncertain ? "Unknown" : state === "ready" ? "True" : "False",
      ...cause,
    }),
  },
  {
    type: "Reconciling",
    meaning: "The operator is applying the spec. No action required.",
    isIndependentOfSpec: true,
    isAbnormalIfTrue: true,
    state: ({ outcome: { state, cause } }) => (state === "progressing" ? { status: "True", ...cause } : notReconciling),
  },
  {
    type: "Stalled",
    meaning: "A user must act, as described in the message. Pods that ran before still run.",
    isIndependentOfSpec: true,
    isAbnormalIfTrue: true,
    state: ({ outcome: { state, cause } }) => (state === "stalled" ? { status: "True", ...cause } : notStalled),
  },
];
