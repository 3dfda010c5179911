import { z } from "zod";
import { resources } from "./amounts.ts";

/** Separate pods for the requests that transfer artifacts. */
export const artifactServer = z
  .strictObject({
    replicas: z
      .int()
      .min(1)
      .max(100)
      .meta({ description: "Number of pods; none while the server hibernates. Default: 1. Example: 2." })
      .optional(),
    resources: resources(
      "Compute resources of MLflow in these pods. Default: pod.resources. Example: {requests: {cpu: 500m}}.",
      {
        requests: "Requests. Default: as in pod.resources. Example: {memory: 512Mi}.",
        limits: "Limits. Default: memory, as in pod.resources. Example: {memory: 4Gi}.",
      },
    ).optional(),
  })
  .meta({
    description:
      "Further pods like those of the server, for the requests that transfer artifacts: Ingress and HTTPRoute send these to them by path. Default: none. Example: {replicas: 2}.",
  });

export type ArtifactServer = z.infer<typeof artifactServer>;
