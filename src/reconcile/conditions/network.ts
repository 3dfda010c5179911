import { hasExternalService } from "../../model/exposure.ts";
import type { StatusInput } from "../status-input.ts";
import type { ConditionState, ServerCondition } from "./condition.ts";

export const meshReady: ServerCondition = {
  type: "MeshReady",
  meaning:
    "With `spec.mesh` or `spec.traces`: Istio enforces that only the writers can access `/v1/traces`, as far as its objects, the pods and a probe show. `Ready` does not wait for it.",
  isOf: ({ mesh, traces }) => mesh !== undefined || traces !== undefined,
  state: ({ mesh, outcome }) => withNameConflict(mesh, "MeshProgressing", outcome),
};

export const exposed: ServerCondition = {
  type: "Exposed",
  meaning:
    "With `spec.exposure.ingress` or `httpRoute`, or with `service.type: LoadBalancer` or `NodePort`: their controllers report that the server is exposed outside the cluster. `Ready` does not wait for it.",
  isOf: (spec) =>
    spec.exposure?.ingress !== undefined || spec.exposure?.httpRoute !== undefined || hasExternalService(spec),
  state: ({ exposure, outcome }) => withNameConflict(exposure?.condition, "RouteProgressing", outcome),
};

/** The condition, with the name conflict in place of this reason, if one blocks the next step. */
function withNameConflict(
  condition: ConditionState | undefined,
  progressing: string,
  { cause }: StatusInput["outcome"],
): ConditionState | undefined {
  const isBlocked = condition?.reason === progressing && cause.reason === "NameConflict";
  return isBlocked ? { ...condition, ...cause } : condition;
}
