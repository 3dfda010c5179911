import { z } from "zod";
import type { KubeObject, NamespacedMeta } from "../kube/object.ts";
import { conditionList, observedGeneration, observedGenerationTime } from "./condition-list.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";
import { type MlflowWorkspaceAccessSpec, mlflowWorkspaceAccessSpec } from "./workspace-access-spec.ts";

/** A grant in the workspace of its namespace. */
export interface MlflowWorkspaceAccess extends KubeObject {
  metadata: NamespacedMeta;
  spec: MlflowWorkspaceAccessSpec;
  status?: MlflowWorkspaceAccessStatus;
  /** Not part of the API: paths of the spec that the API server has pruned, since its CustomResourceDefinition does not have them. */
  pruned?: readonly string[];
}

const mlflowWorkspaceAccessStatus = z
  .strictObject({
    observedGeneration: observedGeneration.exactOptional(),
    observedGenerationTime: observedGenerationTime.exactOptional(),
    conditions: conditionList("Ready").exactOptional(),
    roleBinding: z
      .string()
      .max(253)
      .meta({ description: "Name of the RoleBinding that contains the subjects while the grant is in force." })
      .exactOptional(),
  })
  .meta({ description: "Observed state. Set by the operator." });

export type MlflowWorkspaceAccessStatus = z.infer<typeof mlflowWorkspaceAccessStatus>;

/** The complete MlflowWorkspaceAccess, for `kubectl explain`. */
const mlflowWorkspaceAccess = z
  .strictObject({
    apiVersion: z
      .string()
      .meta({ description: "Group and version of this resource: mlflow-operator.dev/v1alpha1." })
      .optional(),
    kind: z.string().meta({ description: "MlflowWorkspaceAccess." }).optional(),
    metadata: z.strictObject({ name: z.string().meta({ description: "Name of the grant." }).optional() }).optional(),
    spec: mlflowWorkspaceAccessSpec,
    status: mlflowWorkspaceAccessStatus.optional(),
  })
  .meta({
    description:
      "A grant in the MLflow workspace of this namespace: a role for users and workloads, in force while the namespace is a workspace of the server.",
  });

/** The structural schema of a complete MlflowWorkspaceAccess. */
export function workspaceAccessSchema(): StructuralSchema {
  return structuralSchema(mlflowWorkspaceAccess);
}
