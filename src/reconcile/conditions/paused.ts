import { annotation } from "../../kube/names.ts";
import { isPaused } from "../pause.ts";
import type { ServerCondition } from "./condition.ts";

export const paused: ServerCondition = {
  type: "Paused",
  meaning:
    'Only with the annotation `mlflow-operator.dev/paused: "true"`: the operator changes nothing for the server but its status.',
  isIndependentOfSpec: true,
  isAbnormalIfTrue: true,
  state: ({ server }) =>
    isPaused(server)
      ? {
          status: "True",
          reason: "Paused",
          message: `The annotation ${annotation.paused} is "true", so the operator changes nothing for this server but its status; what runs keeps running, and deletion works. Remove the annotation to resume.`,
        }
      : undefined,
};
