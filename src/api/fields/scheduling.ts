/** Scheduling fields of a pod (core/v1), with the same names, types and meaning. */
import { z } from "zod";
import { labelKey, labelMap, labelValue, objectName } from "./text.ts";

const requirement = (key: z.ZodType<string>, operators: readonly [string, ...string[]], values: z.ZodType<string[]>) =>
  z
    .strictObject({
      key,
      operator: z.enum(operators).meta({ description: "Relation of key and values. Example: In." }),
      values: values.optional(),
    })
    .meta({ description: "A requirement." });

const labelValues = z
  .array(labelValue("A value."))
  .max(64)
  .meta({ "x-kubernetes-list-type": "atomic", description: "Values; empty for Exists and DoesNotExist." });

const onLabels = (whose: string, ...operators: readonly [string, ...string[]]) =>
  z
    .array(requirement(labelKey("Label key."), operators, labelValues))
    .max(16)
    .meta({
      "x-kubernetes-list-type": "atomic",
      description: `Requirements on labels of ${whose}; all must be satisfied.`,
    });

const onNodeName = z
  .array(
    requirement(
      z.enum(["metadata.name"]).meta({ description: "The only field that Kubernetes supports here: metadata.name." }),
      ["In", "NotIn"],
      z
        .array(objectName("Name of a node."))
        .min(1)
        .max(1)
        .meta({ "x-kubernetes-list-type": "atomic", description: "The name of one node." }),
    ),
  )
  .max(16)
  .meta({ "x-kubernetes-list-type": "atomic", description: "Requirements on the node's name; all must be satisfied." });

/** A selector over labels. */
export function labelSelector(description: string) {
  return z
    .strictObject({
      matchLabels: labelMap("Labels with their values; all must match.").optional(),
      matchExpressions: onLabels("the pods or namespaces", "In", "NotIn", "Exists", "DoesNotExist").optional(),
    })
    .meta({ description });
}

const nodeTerm = z
  .strictObject({
    matchExpressions: onLabels("the node", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt").optional(),
    matchFields: onNodeName.optional(),
  })
  .meta({ description: "Requirements on a node." });

const weight = z.int().min(1).max(100).meta({ description: "Weight, 1 to 100." });

const podTerm = z
  .strictObject({
    labelSelector: labelSelector("Pods.").optional(),
    namespaceSelector: labelSelector("Namespaces of the pods. Default: the server's.").optional(),
    namespaces: z
      .array(objectName("Name of a namespace."))
      .max(32)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description: "Names of the pods' namespaces. Default: the server's.",
      })
      .optional(),
    topologyKey: labelKey("Node label whose values are the topology domains. Example: kubernetes.io/hostname."),
  })
  .meta({ description: "Pods, and the topology domain that the term applies to." });

const podTerms = (description: string) =>
  z
    .strictObject({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .array(podTerm)
        .max(8)
        .meta({ description: "Rules that must be satisfied to schedule the pod.", "x-kubernetes-list-type": "atomic" })
        .optional(),
      preferredDuringSchedulingIgnoredDuringExecution: z
        .array(
          z
            .strictObject({ weight, podAffinityTerm: podTerm.meta({ description: "The preferred rule." }) })
            .meta({ description: "A weighted term." }),
        )
        .max(8)
        .meta({ description: "Rules that the scheduler prefers to satisfy.", "x-kubernetes-list-type": "atomic" })
        .optional(),
    })
    .meta({ description });

/** `affinity` of a pod. */
export const affinity = z
  .strictObject({
    nodeAffinity: z
      .strictObject({
        requiredDuringSchedulingIgnoredDuringExecution: z
          .strictObject({
            nodeSelectorTerms: z
              .array(nodeTerm)
              .min(1)
              .max(8)
              .meta({ "x-kubernetes-list-type": "atomic", description: "Terms; one must be satisfied." }),
          })
          .meta({ description: "Rules that must be satisfied to schedule the pod." })
          .optional(),
        preferredDuringSchedulingIgnoredDuringExecution: z
          .array(
            z
              .strictObject({ weight, preference: nodeTerm.meta({ description: "The preferred rule." }) })
              .meta({ description: "A weighted term." }),
          )
          .max(8)
          .meta({ description: "Rules that the scheduler prefers to satisfy.", "x-kubernetes-list-type": "atomic" })
          .optional(),
      })
      .meta({ description: "Node affinity." })
      .optional(),
    podAffinity: podTerms("Pod affinity.").optional(),
    podAntiAffinity: podTerms("Pod anti-affinity.").optional(),
  })
  .meta({ description: "Scheduling constraints (core/v1 Affinity)." });

/** `tolerations` of a pod. */
export const tolerations = z
  .array(
    z
      .strictObject({
        key: labelKey("Taint key. Default: all.").optional(),
        operator: z
          .enum(["Exists", "Equal"])
          .meta({ description: "How key and value relate. Default: Equal." })
          .optional(),
        value: labelValue("Taint value.").optional(),
        effect: z
          .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
          .meta({ description: "Effect of the taint. Default: all." })
          .optional(),
        tolerationSeconds: z
          .int()
          .min(0)
          .max(2147483647)
          .meta({ description: "Seconds for which a NoExecute taint is tolerated. Default: without limit." })
          .optional(),
      })
      .meta({ description: "A taint that is tolerated." }),
  )
  .max(32)
  .meta({
    "x-kubernetes-list-type": "atomic",
    description:
      "Tolerations of the pods (core/v1 Toleration). Default: none. Example: [{key: dedicated, value: mlflow, effect: NoSchedule}].",
  });
