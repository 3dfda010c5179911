import { z } from "zod";
import type { Condition } from "../kube/conditions.ts";

/** metav1.Condition, with its constraints. `observedGeneration` is required here, since the operator always sets it. */
const condition: z.ZodType<Condition> = z
  .strictObject({
    type: z.string().max(316).meta({ description: "Type of the condition; docs/reference.md lists all types." }),
    status: z
      .enum(["True", "False", "Unknown"])
      .meta({ description: "Status of the condition: True, False or Unknown." }),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .meta({ description: "Reason in CamelCase; docs/reference.md lists all reasons with their remedies." }),
    message: z
      .string()
      .max(32768)
      .meta({ description: "Explanation: the object concerned, the effect and the remedy." }),
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .meta({ description: "The metadata.generation that the condition was set for.", format: "int64" }),
    lastTransitionTime: z.string().meta({ description: "Time at which status last changed.", format: "date-time" }),
  })
  .meta({ description: "A condition (metav1.Condition)." });

/** The generation that a status was set for. */
export const observedGeneration = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .meta({ description: "The metadata.generation that the status was set for.", format: "int64" });

/** When that generation was first observed: deadlines are counted from it. */
export const observedGenerationTime = z.string().meta({
  description:
    "Time at which the operator first observed this generation. A missing object that another controller may still create, such as a referenced Secret, is reported as Reconciling for two minutes from then, and as Stalled after that. Example: 2026-01-31T18:00:00Z.",
  format: "date-time",
});

/** The conditions of an object; `awaited` is the one to wait for. */
export function conditionList(awaited: string) {
  return z
    .array(condition)
    .max(32)
    .meta({
      description: `Conditions of the object. Wait for ${awaited}.`,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    });
}
