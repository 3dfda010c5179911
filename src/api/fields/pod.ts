import { z } from "zod";
import { amounts, requestsWithinLimits } from "./amounts.ts";
import { type Rule, rules } from "./rule.ts";
import { affinity, labelSelector, tolerations } from "./scheduling.ts";
import { annotationMap, labelKey, labelMap, objectName } from "./text.ts";

/**
 * Keys that would forge what our selectors or the mesh's proofs rest on: ours, the recommended labels that we set, and
 * Istio's (istio.io, ambient.istio.io, sidecar.istio.io …).
 */
export const reservedKeys: Rule = {
  rule: "self.all(key, !key.matches('^([a-z0-9.-]+[.])?(istio[.]io|mlflow-operator[.]dev)/') && !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/component', 'app.kubernetes.io/version']))",
  message:
    "keys of istio.io and mlflow-operator.dev, and app.kubernetes.io/name, managed-by, component and version, are the operator's to set: use other keys",
};

/** Labels that are added to what the operator writes. */
export function extraLabels(description: string) {
  return labelMap(description, reservedKeys);
}

/** Annotations that are added to what the operator writes. */
export function extraAnnotations(description: string) {
  return annotationMap(description, reservedKeys);
}

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
    labels: extraLabels("Further labels of the pods.").optional(),
    annotations: extraAnnotations("Further annotations of the pods.").optional(),
    resources: z
      .strictObject({
        requests: amounts(
          "What is reserved. Default: cpu 100m, memory 512Mi; where there is a limit of the same resource, that.",
        ).optional(),
        limits: amounts("What must not be exceeded. Default: none.").optional(),
      })
      .meta({ description: "Compute resources of the MLflow container.", ...rules(requestsWithinLimits) })
      .optional(),
    nodeSelector: labelMap("Labels that a node must have.").optional(),
    tolerations: tolerations.optional(),
    affinity: affinity.optional(),
    topologySpreadConstraints: z
      .array(topologySpreadConstraint)
      .max(8)
      .meta({ description: "How pods are spread. Default: over nodes, as far as possible." })
      .optional(),
    priorityClassName: objectName("Priority class of the pods.").optional(),
  })
  .meta({ description: 'Settings of the pods. They always run under Pod Security "restricted".' });

export type PodSettings = z.infer<typeof pod>;
