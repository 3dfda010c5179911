import type { MlflowBackup } from "../../api/backup.ts";
import type { Condition, NewCondition } from "../../kube/conditions.ts";
import type { Cause } from "../cause.ts";

/** What the program reports of the older backups of a schedule: how many it has deleted, or why it could not. */
export type RetentionResult = { readonly deleted: number } | Cause;

const type = "RetentionApplied";

/** Whether the files of older backups of the schedule were deleted; undefined if the backup does not delete any. */
export function retentionCondition({ status }: MlflowBackup): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** The condition for a result. */
export function appliedRetention(result: RetentionResult): NewCondition {
  if ("reason" in result) return { type, status: "False", ...result };
  const { deleted } = result;
  const message = `The files of ${deleted === 1 ? "1 older backup" : `${deleted} older backups`} were deleted.`;
  return { type, status: "True", reason: "RetentionApplied", message };
}
