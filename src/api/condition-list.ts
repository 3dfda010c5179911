import { z } from "zod";
import type { Condition } from "../kube/conditions.ts";

/** metav1.Condition, with its constraints. `observedGeneration` is required here, since the operator always sets it. */
const condition: z.ZodType<Condition> = z
  .strictObject({
    type: z.string().max(316).meta({ description: "What is said something of; docs/reference.md has a table." }),
    status: z.enum(["True", "False", "Unknown"]).meta({ description: "Whether it holds." }),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .meta({ description: "Why, as one word; the table of reasons says what to do." }),
    message: z.string().max(32768).meta({ description: "Why, as a sentence, with the remedy." }),
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .meta({ description: "The metadata.generation of the spec that this was said of.", format: "int64" }),
    lastTransitionTime: z.string().meta({ description: "When status last changed.", format: "date-time" }),
  })
  .meta({ description: "A condition (metav1.Condition)." });

/** The generation that a status speaks of. */
export const observedGeneration = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .meta({ description: "The metadata.generation of the spec that the status speaks of.", format: "int64" });

/** When that generation was first observed: deadlines are counted from it. */
export const observedGenerationTime = z.string().meta({
  description:
    "When the operator first observed this generation. What other controllers may still create, such as a referenced Secret, is reported as Reconciling for two minutes from then, and as Stalled after that. Example: 2026-01-31T18:00:00Z.",
  format: "date-time",
});

/** Conditions of an object; a person waits for the one that is named. */
export function conditionList(awaited: string) {
  return z
    .array(condition)
    .max(32)
    .meta({
      description: `What holds and what does not. Wait for ${awaited}.`,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    });
}
