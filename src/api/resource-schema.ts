import { z } from "zod";
import { longestServerName } from "../kube/names.ts";
import { rules } from "./fields/rule.ts";
import { mlflowServerSpec } from "./spec.ts";
import { mlflowServerStatus } from "./status.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

/** A whole MlflowServer, as `kubectl explain` shows it. */
const mlflowServer = z
  .strictObject({
    apiVersion: z
      .string()
      .meta({ description: "Group and version of this resource: mlflow-operator.dev/v1alpha1." })
      .optional(),
    kind: z.string().meta({ description: "MlflowServer." }).optional(),
    metadata: z
      .strictObject({
        name: z
          .string()
          .meta({ description: `Name of the server: a DNS label of at most ${longestServerName} characters.` })
          .optional(),
      })
      .optional(),
    spec: mlflowServerSpec,
    status: mlflowServerStatus.optional(),
  })
  .meta({
    description: "A secured MLflow tracking server.",
    ...rules({
      rule: `self.metadata.name.size() <= ${longestServerName} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')`,
      message: `the name has at most ${longestServerName} characters, only a-z, 0-9 and -, begins with a letter and does not end with -: Services and other objects are named after it, some with a suffix, and their names end at 63`,
      fieldPath: ".metadata.name",
    }),
  });

/**
 * The structural schema of a whole MlflowServer. Of metadata a CRD may say nothing but the form of the name, not even
 * what it is.
 */
export function resourceSchema(): StructuralSchema {
  return structuralSchema(mlflowServer);
}
