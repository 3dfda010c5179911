import type { MlflowServerStatus } from "../api/server.ts";
import type { Deployment } from "../kube/manifests.ts";
import type { ObservedState } from "./observed-state.ts";
import type { Outcome } from "./outcome.ts";
import { deploymentOf } from "./server-workload.ts";
import { unsupportedSpec } from "./spec-problem.ts";

/** The input of the status, besides the outcome. */
export type Reported = Pick<
  ObservedState,
  "server" | "owned" | "workspaces" | "mesh" | "endpoints" | "exposure" | "rotation" | "now"
>;

/** What the conditions and all other fields of a status are computed from. */
export interface StatusInput extends Reported {
  readonly outcome: Outcome;
  /** The live Deployment of the server. */
  readonly deployment: Deployment | undefined;
  /** The previous status. */
  readonly before: MlflowServerStatus;
  /** Whether the spec was evaluated. Otherwise what depends on it stays as in the previous status. */
  readonly isSpecRead: boolean;
}

export function statusInput(observed: Reported, outcome: Outcome): StatusInput {
  const { server } = observed;
  return {
    ...observed,
    outcome,
    deployment: deploymentOf(observed),
    before: server.status ?? {},
    isSpecRead: outcome.isUnread !== true && unsupportedSpec("MlflowServer", server.spec) === undefined,
  };
}
