import { isHibernated } from "../../model/replicas.ts";
import type { StatusInput } from "../status-input.ts";
import { formerOf, type ServerCondition } from "./condition.ts";

export const available: ServerCondition = {
  type: "Available",
  meaning: "At least one pod is ready, of this generation or of an earlier one.",
  reasons: {
    PodsReady: { meaning: "Pods are ready.", remedy: "" },
    NoPodReady: { meaning: "No pod is ready.", remedy: "See the message of `Ready`." },
    NotStarted: { meaning: "No pods have been started yet.", remedy: "See the message of `Ready`." },
  },
  isIndependentOfSpec: true,
  state: (input) => {
    const { deployment } = input;
    if (deployment === undefined)
      return { status: "False", reason: "NotStarted", message: "No pods have been started yet" };
    const wanted = deployment.spec.replicas ?? 0;
    const ready = deployment.status?.availableReplicas ?? 0;
    if (ready > 0) return { status: "True", reason: "PodsReady", message: `${ready} of ${wanted} pods are available` };
    return wanted === 0 && stopsAllPods(input)
      ? { status: "False", reason: "Hibernated", message: "No pods run, as the spec sets" }
      : { status: "False", reason: "NoPodReady", message: `0 of ${wanted} pods are available` };
  },
};

/** Whether the spec stops all pods. */
function stopsAllPods({ server: { spec }, before, isSpecRead }: StatusInput): boolean {
  if (!isSpecRead) return formerOf(before, "Available")?.reason === "Hibernated";
  return isHibernated(spec);
}
