import type { MlflowServer } from "../../api/server.ts";
import type { Condition } from "../../kube/conditions.ts";

/** Conditions that are False while all is well. All others are True then. */
const negativeTypes: ReadonlySet<string> = new Set(["Reconciling", "Stalled", "UpgradePending"]);

/** Reasons of a condition that is not True because the spec says so. */
const intendedReasons: ReadonlySet<string> = new Set(["Hibernated", "MeshHibernated"]);

/** Returns the conditions of a server that are not as they are while all is well. */
export function unhealthyConditions({ status }: Pick<MlflowServer, "status">): Condition[] {
  return (status?.conditions ?? []).filter(
    ({ type, status: value, reason }) =>
      value !== (negativeTypes.has(type) ? "False" : "True") && !intendedReasons.has(reason),
  );
}

/** Returns the condition of a type. */
export function conditionOf({ status }: Pick<MlflowServer, "status">, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
