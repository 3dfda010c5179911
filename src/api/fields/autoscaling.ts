import { z } from "zod";
import { rules } from "./rule.ts";

/** A HorizontalPodAutoscaler by one metric: others, such as those of KEDA, scale the MlflowServer without this field. */
export const autoscaling = z
  .strictObject({
    minReplicas: z
      .int()
      .min(1)
      .max(100)
      .meta({ description: "Minimum number of pods. Default: 1. Example: 2." })
      .optional(),
    maxReplicas: z.int().min(1).max(100).meta({ description: "Maximum number of pods. Example: 6." }),
    targetCPUUtilization: z
      .int()
      .min(1)
      .max(1000)
      .meta({
        description: "Average CPU usage of MLflow's containers, in percent of the request. Default: 80. Example: 60.",
      })
      .optional(),
  })
  .meta({
    description:
      "The HorizontalPodAutoscaler of the server, by CPU usage: set pod.resources.requests.cpu. It writes spec.replicas: leave that out. Example: {minReplicas: 2, maxReplicas: 6}.",
    ...rules({
      rule: "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
      message: "minReplicas cannot be above maxReplicas: lower it, or raise maxReplicas",
      fieldPath: ".minReplicas",
    }),
  });

export type Autoscaling = z.infer<typeof autoscaling>;
