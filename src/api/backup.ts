import { z } from "zod";
import type { KubeObject, NamespacedMeta } from "../kube/object.ts";
import { type MlflowBackupSpec, mlflowBackupSpec } from "./backup-spec.ts";
import { conditionList, observedGeneration, observedGenerationTime } from "./condition-list.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

/** One backup of a server in its namespace. */
export interface MlflowBackup extends KubeObject {
  metadata: NamespacedMeta;
  spec: MlflowBackupSpec;
  status?: MlflowBackupStatus;
  /** Not part of the API: paths of the spec that the API server has pruned, since its CustomResourceDefinition does not have them. */
  pruned?: readonly string[];
}

/** An MlflowBackup that the operator creates. */
export type NewBackup = Pick<MlflowBackup, "apiVersion" | "kind" | "metadata" | "spec">;

const time = (description: string) => z.string().meta({ description, format: "date-time" });
const shortText = (description: string, max = 253) => z.string().max(max).meta({ description });

const mlflowBackupStatus = z
  .strictObject({
    observedGeneration: observedGeneration.exactOptional(),
    observedGenerationTime: observedGenerationTime.exactOptional(),
    conditions: conditionList("Ready").exactOptional(),
    phase: z
      .enum(["Pending", "Running", "Completed", "Failed"])
      .meta({ description: "Phase of the backup. Completed and Failed are final." })
      .exactOptional(),
    job: shortText("Name of the Job that writes the backup, or verifies its files.").exactOptional(),
    startedAt: time("Time at which the Job was created.").exactOptional(),
    completedAt: time("Time at which the Job ended.").exactOptional(),
    duration: shortText("Time from startedAt to completedAt. Example: 1m30s.", 32).exactOptional(),
    size: shortText("Size of all files. Example: 1.2Gi.", 32).exactOptional(),
    location: shortText(
      "Where the backup is: pvc:// with the claim, or s3:// with the bucket. Example: s3://mlflow-backups/ml/tracking/nightly-20260131T180000Z-4f1c2d9e0b.",
      2048,
    ).exactOptional(),
    mlflowVersion: shortText("Version of MLflow that wrote the backup.", 64).exactOptional(),
    serverUID: shortText("uid of the MlflowServer.", 64).exactOptional(),
    schemaRevision: shortText("Revision of the schema of MLflow's database.", 128).exactOptional(),
  })
  .meta({ description: "Observed state. Set by the operator." });

export type MlflowBackupStatus = z.infer<typeof mlflowBackupStatus>;

/** The complete MlflowBackup, for `kubectl explain`. */
const mlflowBackup = z
  .strictObject({
    apiVersion: z
      .string()
      .meta({ description: "Group and version of this resource: mlflow-operator.dev/v1alpha1." })
      .optional(),
    kind: z.string().meta({ description: "MlflowBackup." }).optional(),
    metadata: z.strictObject({ name: z.string().meta({ description: "Name of the backup." }).optional() }).optional(),
    spec: mlflowBackupSpec,
    status: mlflowBackupStatus.optional(),
  })
  .meta({
    description:
      "One backup of an MlflowServer: its databases, and its artifacts if they are on a volume. Deleting it keeps the files.",
  });

/** The structural schema of a complete MlflowBackup. */
export function backupSchema(): StructuralSchema {
  return structuralSchema(mlflowBackup);
}
