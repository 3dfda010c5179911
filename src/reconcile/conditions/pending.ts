import type { RotationRecord } from "../../api/status.ts";
import { formerOf, type ServerCondition, unchanged } from "./condition.ts";

const steps: Readonly<Record<RotationRecord["phase"], string>> = {
  Preparing: "Pods are replaced by pods that also accept the new key.",
  Switching: "Pods are replaced by pods that use the new key and accept the previous one.",
  Renewing: "What has the previous key or password is renewed. Until then it stays valid.",
  Removing: "Pods are replaced by pods that accept the new key only.",
  Completed: "",
};

export const upgradePending: ServerCondition = {
  type: "UpgradePending",
  meaning:
    "Only while an operator upgrade, or changed operator settings, have not changed the pods of the server yet. The server runs as before; `Ready` does not wait for it.",
  isIndependentOfSpec: true,
  isAbnormalIfTrue: true,
  state: ({ outcome: { upgrade } }) => upgrade && { status: "True", ...upgrade },
};

const type = "RotationPending";

export const rotationPending: ServerCondition = {
  type,
  meaning:
    "Only during a rotation of the annotation `mlflow-operator.dev/rotate` or of the administrator's password, and while the annotation is invalid: the rotation is in progress, waits, or its Job fails. The server serves all the time.",
  reasons: {
    RotationRunning: {
      meaning: "A rotation is in progress. The message has its step.",
      remedy: "No action required.",
    },
    RotationWaiting: {
      meaning: "A rotation was requested and has not begun or cannot continue.",
      remedy: "Read the message: it names what the rotation waits for.",
    },
  },
  isIndependentOfSpec: true,
  isAbnormalIfTrue: true,
  state: ({ rotation, before }) => {
    if (rotation === undefined) {
      // The spec was not evaluated.
      const former = formerOf(before, type);
      return former && unchanged(former);
    }
    const { problem, records } = rotation;
    if (problem !== undefined)
      return { status: "True", ...problem, message: `${problem.message.replace(/[.]$/, "")}.` };
    // Pods that get another content of a Secret are a rollout.
    const running = records.filter(({ name, phase }) => name !== "references" && phase !== "Completed");
    if (running.length === 0) return undefined;
    const message = running.map(({ name, phase }) => `${name}: ${steps[phase]}`).join(" ");
    return { status: "True", reason: "RotationRunning", message };
  },
};
