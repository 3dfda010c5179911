import type { MlflowServer } from "../../api/server.ts";
import type { Condition } from "../../kube/conditions.ts";
import { serverConditions } from "../../reconcile/conditions/index.ts";

/** Conditions that are False on a healthy server. All others, also those of a newer operator, are True then. */
const abnormalTypes: ReadonlySet<string> = new Set(
  serverConditions.filter(({ isAbnormalIfTrue }) => isAbnormalIfTrue).map(({ type }) => type),
);

/** Reasons of a condition that is not True because of a setting in the spec. */
const intendedReasons: ReadonlySet<string> = new Set(["Hibernated", "MeshHibernated", "AuthenticationDisabled"]);

/** Returns the unhealthy conditions of a server. */
export function unhealthyConditions({ status }: Pick<MlflowServer, "status">): Condition[] {
  return (status?.conditions ?? []).filter(
    ({ type, status: value, reason }) =>
      value !== (abnormalTypes.has(type) ? "False" : "True") &&
      !intendedReasons.has(reason) &&
      // Another condition says why no pod is ready.
      !(type === "EndpointSecured" && reason === "NotChecked"),
  );
}

/** Returns the condition of a type. */
export function conditionOf({ status }: Pick<MlflowServer, "status">, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
