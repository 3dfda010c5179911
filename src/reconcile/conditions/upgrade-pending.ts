import type { ServerCondition } from "./condition.ts";

export const upgradePending: ServerCondition = {
  type: "UpgradePending",
  meaning:
    "Only while an operator upgrade, or changed operator settings, have not changed the pods of the server yet. The server runs as before; `Ready` does not wait for it.",
  isIndependentOfSpec: true,
  isAbnormalIfTrue: true,
  state: ({ outcome: { upgrade } }) => upgrade && { status: "True", ...upgrade },
};
