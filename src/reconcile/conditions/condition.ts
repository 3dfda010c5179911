import type { ReasonRow } from "../../api/reasons.ts";
import type { MlflowServerStatus } from "../../api/server.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Condition, NewCondition } from "../../kube/conditions.ts";
import type { StatusInput } from "../status-input.ts";

/** A condition without its type. */
export type ConditionState = Omit<NewCondition, "type">;

/** A type of condition of an MlflowServer. */
export interface ServerCondition {
  readonly type: string;
  /** What the status True means, for the reference. */
  readonly meaning: string;
  /** The reasons that only this condition has, for the reference. */
  readonly reasons?: Readonly<Record<string, ReasonRow>>;
  /** Whether a server with this spec has the condition; default: every server has it. */
  readonly isOf?: (spec: MlflowServerSpec) => boolean;
  /** Whether it is also computed if the spec was not evaluated; default: then the previous one stays, with its generation. */
  readonly isIndependentOfSpec?: true;
  /** Whether the condition is False on a healthy server; default: it is True then. */
  readonly isAbnormalIfTrue?: true;
  /** Undefined if there is none now. */
  readonly state: (input: StatusInput) => ConditionState | undefined;
}

/** These conditions of a server, in their order. */
export function newConditions(conditions: readonly ServerCondition[], input: StatusInput): NewCondition[] {
  return conditions.flatMap(({ type, isOf = () => true, isIndependentOfSpec = false, state }): NewCondition[] => {
    if (!isOf(input.server.spec)) return [];
    const found = input.isSpecRead || isIndependentOfSpec ? state(input) : unchecked(input.before, type);
    return found === undefined ? [] : [{ type, ...found }];
  });
}

/** The previous condition of this type. */
export function formerOf({ conditions = [] }: MlflowServerStatus, type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** A condition of an earlier reconciliation, with its generation. */
export function unchanged({ status, reason, message, observedGeneration }: Condition): ConditionState {
  return { status, reason, message, observedGeneration };
}

function unchecked(before: MlflowServerStatus, type: string): ConditionState {
  const former = formerOf(before, type);
  if (former !== undefined) return unchanged(former);
  return { status: "Unknown", reason: "NotChecked", message: "This has not been checked yet." };
}
