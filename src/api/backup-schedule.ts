import { z } from "zod";
import { longestScheduleName } from "../kube/names.ts";
import type { KubeObject, NamespacedMeta } from "../kube/object.ts";
import { type MlflowBackupScheduleSpec, mlflowBackupScheduleSpec } from "./backup-schedule-spec.ts";
import { conditionList, observedGeneration, observedGenerationTime } from "./condition-list.ts";
import { rules } from "./fields/rule.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

/** A schedule of backups of a server in its namespace. */
export interface MlflowBackupSchedule extends KubeObject {
  metadata: NamespacedMeta;
  spec: MlflowBackupScheduleSpec;
  status?: MlflowBackupScheduleStatus;
  /** Not part of the API: paths of the spec that the API server has pruned, since its CustomResourceDefinition does not have them. */
  pruned?: readonly string[];
}

const time = (description: string) => z.string().meta({ description, format: "date-time" });
const backupName = (description: string) => z.string().max(253).meta({ description });

const mlflowBackupScheduleStatus = z
  .strictObject({
    observedGeneration: observedGeneration.exactOptional(),
    observedGenerationTime: observedGenerationTime.exactOptional(),
    conditions: conditionList("Ready").exactOptional(),
    lastScheduledTime: time("Time of the schedule for which the last backup was created.").exactOptional(),
    lastBackup: backupName("Name of the last MlflowBackup.").exactOptional(),
    lastSuccessfulTime: time("Time at which the last complete backup was completed.").exactOptional(),
    lastSuccessfulBackup: backupName("Name of its MlflowBackup.").exactOptional(),
    failedBackups: z
      .int()
      .min(0)
      .max(2147483647)
      .meta({ description: "Number of failed backups since the last complete one.", format: "int32" })
      .exactOptional(),
    completeBackups: z
      .int()
      .min(0)
      .max(2147483647)
      .meta({ description: "Number of complete MlflowBackups of the schedule.", format: "int32" })
      .exactOptional(),
    oldestBackupTime: time("Time at which the oldest of them was completed.").exactOptional(),
    nextScheduledTime: time("Next time of the schedule. Absent while it is suspended or invalid.").exactOptional(),
  })
  .meta({ description: "Observed state. Set by the operator." });

export type MlflowBackupScheduleStatus = z.infer<typeof mlflowBackupScheduleStatus>;

/** The complete MlflowBackupSchedule, for `kubectl explain`. */
const mlflowBackupSchedule = z
  .strictObject({
    apiVersion: z
      .string()
      .meta({ description: "Group and version of this resource: mlflow-operator.dev/v1alpha1." })
      .optional(),
    kind: z.string().meta({ description: "MlflowBackupSchedule." }).optional(),
    metadata: z
      .strictObject({
        name: z
          .string()
          .meta({ description: `Name of the schedule: a DNS label of at most ${longestScheduleName} characters.` })
          .optional(),
      })
      .optional(),
    spec: mlflowBackupScheduleSpec,
    status: mlflowBackupScheduleStatus.optional(),
  })
  .meta({
    description:
      "A schedule of backups of an MlflowServer: it creates MlflowBackups, and deletes old ones with their files. Deleting it keeps the backups.",
    ...rules({
      rule: `self.metadata.name.size() <= ${longestScheduleName} && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')`,
      message: `the name has at most ${longestScheduleName} characters, only a-z, 0-9 and -, and no - at its ends, since backups get this name with a time`,
      fieldPath: ".metadata.name",
    }),
  });

/** The structural schema of a complete MlflowBackupSchedule. */
export function backupScheduleSchema(): StructuralSchema {
  return structuralSchema(mlflowBackupSchedule);
}
