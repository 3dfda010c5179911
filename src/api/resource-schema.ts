import { z } from "zod";
import { longestServerName } from "../kube/names.ts";
import { rules } from "./fields/rule.ts";
import { mlflowServerSpec } from "./spec.ts";
import { mlflowServerStatus } from "./status.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

/** The complete MlflowServer, for `kubectl explain`. */
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
      message: `the name has at most ${longestServerName} characters, only a-z, 0-9 and -, begins with a letter and does not end with -, since Services and other objects get this name with a suffix, and their names have at most 63 characters`,
      fieldPath: ".metadata.name",
    }),
  });

/**
 * The structural schema of a complete MlflowServer. A CRD can only restrict the name and generateName of metadata, and
 * cannot describe them.
 */
export function resourceSchema(): StructuralSchema {
  return structuralSchema(mlflowServer);
}
