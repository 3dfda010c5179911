import type { MlflowServer } from "../../api/server.ts";
import { excerpt } from "../../kube/excerpt.ts";
import { annotation } from "../../kube/names.ts";
import type { Cause } from "../cause.ts";
import type { ObservedState } from "../observed-state.ts";
import type { ServerCondition } from "./condition.ts";

/** Whether the operator must change nothing for a server but its status. */
export function isPaused({ metadata }: Pick<MlflowServer, "metadata">): boolean {
  return metadata.annotations?.[annotation.paused] === "true";
}

/** The cause if the annotation that pauses a server has neither value. Nothing is applied, since a pause was probably meant. */
export function invalidPause({ server: { metadata } }: Pick<ObservedState, "server">): Cause | undefined {
  const value = metadata.annotations?.[annotation.paused];
  if (value === undefined || value === "true" || value === "false") return undefined;
  return {
    reason: "InvalidAnnotation",
    message: `The annotation ${annotation.paused} of MlflowServer ${metadata.name} is ${JSON.stringify(excerpt(value, 40))} and must be "true" or "false", so nothing is applied for this server; what runs keeps running. Set it to "true" to pause the server, or remove it`,
  };
}

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
