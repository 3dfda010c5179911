import { z } from "zod";
import { amounts, requestsWithinLimits } from "./amounts.ts";
import { noSystemPriority, podAnnotations, podLabels } from "./pod-metadata.ts";
import { rules } from "./rule.ts";
import { affinity, labelSelector, tolerations } from "./scheduling.ts";
import { labelKey, labelMap, objectName } from "./text.ts";

const topologySpreadConstraint = z
  .strictObject({
    maxSkew: z.int().min(1).max(1000).meta({ description: "How uneven the pods may be spread." }),
    topologyKey: labelKey("Node label whose values are the domains. Example: topology.kubernetes.io/zone."),
    whenUnsatisfiable: z
      .enum(["DoNotSchedule", "ScheduleAnyway"])
      .meta({ description: "What to do when it cannot be kept." }),
    labelSelector: labelSelector("Pods that count. Default: the pods of this server.").optional(),
    minDomains: z.int().min(1).max(1000).meta({ description: "Least number of domains." }).optional(),
    nodeAffinityPolicy: z
      .enum(["Honor", "Ignore"])
      .meta({ description: "Whether node affinity decides which nodes count." })
      .optional(),
    nodeTaintsPolicy: z
      .enum(["Honor", "Ignore"])
      .meta({ description: "Whether taints decide which nodes count." })
      .optional(),
  })
  .meta({ description: "How pods are spread over zones or nodes." });

/** Settings of the pods. */
export const pod = z
  .strictObject({
    labels: podLabels("Additional labels of the pods. Default: none. Example: {team: research}.").optional(),
    annotations: podAnnotations(
      "Additional annotations of the pods, those of the migration Job included. Keys that weaken the pod are rejected. Default: none. Example: {linkerd.io/inject: disabled}.",
    ).optional(),
    resources: z
      .strictObject({
        requests: amounts(
          "Requests. Default: cpu 100m, and memory 512Mi plus 320Mi for each worker above the first and 1536Mi with jobExecution; where there is a limit of the same resource, the limit. Example: {memory: 1Gi}.",
        ).optional(),
        limits: amounts("What must not be exceeded. Default: none.").optional(),
      })
      .meta({
        description:
          'Compute resources of the MLflow container. Default: requests of 100m CPU and 512Mi of memory, which grow with the workers and are lowered to a limit that is less, and a memory limit of twice the request, at least 2Gi. Example: {requests: {memory: 1Gi}, limits: {cpu: "2"}}.',
        ...rules(requestsWithinLimits),
      })
      .optional(),
    setupResources: z
      .strictObject({
        requests: amounts(
          "Requests. Default: 100m and 384Mi for the migration, less for the checks; where there is a limit of the same resource, the limit. Example: {memory: 1Gi}.",
        ).optional(),
        limits: amounts("What must not be exceeded. Default: none.").optional(),
      })
      .meta({
        description:
          "Compute resources of the containers that run to completion: the migration, and the checks before it and before MLflow starts. Default: small requests, with the limits of the MLflow container for cpu, memory and ephemeral-storage. Example: {limits: {memory: 1Gi}}.",
        ...rules(requestsWithinLimits),
      })
      .optional(),
    nodeSelector: labelMap("Labels that a node must have.").optional(),
    tolerations: tolerations.optional(),
    affinity: affinity.optional(),
    topologySpreadConstraints: z
      .array(topologySpreadConstraint)
      .max(8)
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"],
        description: "How pods are spread. Default: over nodes, as far as possible.",
      })
      .optional(),
    priorityClassName: objectName(
      "PriorityClass of the pods; not one whose name begins with system-. Default: that of the cluster. Example: high.",
      noSystemPriority,
    ).optional(),
  })
  .meta({ description: 'Settings of the pods. They always run under Pod Security "restricted".' });

export type PodSettings = z.infer<typeof pod>;
