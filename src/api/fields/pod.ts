import { z } from "zod";
import { duration, resources, within } from "./amounts.ts";
import { noSystemPriority, podAnnotations, podLabels } from "./pod-metadata.ts";
import { dnsConfig, hostAliases } from "./pod-network.ts";
import { affinity, labelSelector, tolerations } from "./scheduling.ts";
import { labelKey, labelMap, objectName } from "./text.ts";

const topologySpreadConstraint = z
  .strictObject({
    maxSkew: z
      .int()
      .min(1)
      .max(1000)
      .meta({ description: "Maximum difference in the number of pods between domains. Example: 1." }),
    topologyKey: labelKey("Node label whose values are the domains. Example: topology.kubernetes.io/zone."),
    whenUnsatisfiable: z
      .enum(["DoNotSchedule", "ScheduleAnyway"])
      .meta({ description: "What happens if the constraint cannot be met. Example: ScheduleAnyway." }),
    labelSelector: labelSelector("Pods that are counted. Default: the pods of this server.").optional(),
    minDomains: z
      .int()
      .min(1)
      .max(1000)
      .meta({ description: "Minimum number of domains. Default: 1. Example: 3." })
      .optional(),
    nodeAffinityPolicy: z
      .enum(["Honor", "Ignore"])
      .meta({
        description: "Whether node affinity excludes nodes from the calculation. Default: Honor. Example: Ignore.",
      })
      .optional(),
    matchLabelKeys: z
      .array(z.enum(["pod-template-hash"]).meta({ description: "A label." }))
      .max(1)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Labels of a pod that counted pods share, so that a rollout counts new pods only. Default: none. Example: [pod-template-hash].",
      })
      .optional(),
    nodeTaintsPolicy: z
      .enum(["Honor", "Ignore"])
      .meta({ description: "Whether taints exclude nodes from the calculation. Default: Ignore. Example: Honor." })
      .optional(),
  })
  .meta({ description: "A constraint on the distribution of pods over zones or nodes." });

/** Settings of the pods. */
export const pod = z
  .strictObject({
    labels: podLabels("Additional labels of the pods. Default: none. Example: {team: research}.").optional(),
    annotations: podAnnotations(
      "Additional annotations of the pods, those of the migration Job included. Keys that weaken the pod are rejected. Default: none. Example: {linkerd.io/inject: disabled}.",
    ).optional(),
    resources: resources(
      'Compute resources of the MLflow container. Default: requests of 100m CPU and 256Mi of memory, which grow with the workers and never exceed a limit, and a memory limit of twice the request, at least 2Gi. Example: {requests: {memory: 1Gi}, limits: {cpu: "2"}}.',
      {
        requests:
          "Requests. Default: cpu 100m, and memory 256Mi plus 192Mi for each worker above the first and 1536Mi with jobExecution, or the limit of the same resource if there is one. Example: {memory: 1Gi}.",
        limits: "Limits. Default: none. Example: {memory: 2Gi}.",
      },
    ).optional(),
    setupResources: resources(
      "Compute resources of the containers that run to completion: the migration, and the checks before it and before MLflow starts. Default: small requests, with the limits of the MLflow container for cpu, memory and ephemeral-storage. Example: {limits: {memory: 1Gi}}.",
      {
        requests:
          "Requests. Default: cpu 100m and memory 384Mi for the migration, less for the checks, or the limit of the same resource if there is one. Example: {memory: 1Gi}.",
        limits: "Limits. Default: none. Example: {memory: 2Gi}.",
      },
    ).optional(),
    nodeSelector: labelMap("Labels that a node must have. Default: none. Example: {disktype: ssd}.").optional(),
    tolerations: tolerations.optional(),
    affinity: affinity.optional(),
    topologySpreadConstraints: z
      .array(topologySpreadConstraint)
      .max(8)
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"],
        description:
          "Topology spread constraints. Default: one that distributes pods over nodes if possible. Example: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}].",
      })
      .optional(),
    priorityClassName: objectName(
      "PriorityClass of the pods; not one whose name begins with system-. Default: that of the cluster. Example: high.",
      noSystemPriority,
    ).optional(),
    runtimeClassName: objectName("RuntimeClass of all pods. Default: none. Example: gvisor.").optional(),
    startupTimeout: duration(
      "Time in which MLflow must start, or its container is restarted. Default: 5m. Example: 20m.",
      within("1m", "2h", "must be a duration from 1m to 2h, such as 20m"),
    ).optional(),
    schedulerName: objectName("Scheduler of the pods. Default: default-scheduler. Example: my-scheduler.").optional(),
    hostAliases: hostAliases.optional(),
    dnsConfig: dnsConfig.optional(),
  })
  .meta({
    description:
      'Settings of the pods. Pods always comply with the Pod Security Standard "restricted". Example: {resources: {requests: {memory: 1Gi}}}.',
  });

export type PodSettings = z.infer<typeof pod>;
