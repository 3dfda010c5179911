import { z } from "zod";
import { cidr } from "./network-policy.ts";
import { reservedKeys } from "./pod-metadata.ts";
import { type Rule, rules } from "./rule.ts";
import { annotationMap, labelKey } from "./text.ts";

/** Annotations with effects beyond the server: Ambassador reads routes for its whole gateway from those of any Service. */
export const unsafeServiceAnnotations: Rule = {
  rule: "!self.exists(key, key.startsWith('getambassador.io/'))",
  message: "getambassador.io/… is rejected, since it configures a gateway that all namespaces share: remove it",
};

const families = z.enum(["IPv4", "IPv6"]).meta({ description: "An IP family." });

/** The Service of a server. */
export const service = z
  .strictObject({
    type: z
      .enum(["ClusterIP", "NodePort", "LoadBalancer"])
      .meta({
        description:
          "Type. NodePort and LoadBalancer add the Service <name>-external, for clients outside the cluster. Default: ClusterIP. Example: LoadBalancer.",
      })
      .optional(),
    annotations: annotationMap(
      "Annotations of the Service, or of <name>-external if there is one. Default: none. Example: {networking.gke.io/load-balancer-type: Internal}.",
      reservedKeys,
      unsafeServiceAnnotations,
    ).optional(),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .meta({
        description:
          "Port for clients outside the cluster: of the load balancer, or of the nodes. Default: that of externalURL; with NodePort the cluster chooses. Example: 443.",
      })
      .optional(),
    loadBalancerClass: labelKey(
      "Implementation of the load balancer. Default: that of the cluster. Example: service.k8s.aws/nlb.",
    ).optional(),
    loadBalancerSourceRanges: z
      .array(cidr("A CIDR. Example: 10.0.0.0/8."))
      .min(1)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Addresses that the load balancer accepts. Default: all. Example: [10.0.0.0/8].",
      })
      .optional(),
    externalTrafficPolicy: z
      .enum(["Cluster", "Local"])
      .meta({
        description:
          "Local keeps the addresses of clients, for networkPolicy.from; only nodes with a pod accept connections. Default: Cluster. Example: Local.",
      })
      .optional(),
    ipFamilyPolicy: z
      .enum(["SingleStack", "PreferDualStack", "RequireDualStack"])
      .meta({ description: "IP family policy of all Services. Default: SingleStack. Example: PreferDualStack." })
      .optional(),
    ipFamilies: z
      .array(families)
      .min(1)
      .max(2)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "IP families, the first is the primary one. Its change replaces the Service. Default: that of the cluster. Example: [IPv6, IPv4].",
      })
      .optional(),
  })
  .meta({
    description: "The Service. Default: {type: ClusterIP}, with port 5000. Example: {type: LoadBalancer}.",
    ...rules(
      {
        rule: "(has(self.type) && self.type == 'LoadBalancer') || !(has(self.loadBalancerClass) || has(self.loadBalancerSourceRanges))",
        message: "loadBalancerClass and loadBalancerSourceRanges have no effect: write type: LoadBalancer",
        fieldPath: ".type",
      },
      {
        rule: "(has(self.type) && self.type != 'ClusterIP') || !(has(self.port) || has(self.externalTrafficPolicy))",
        message:
          "port and externalTrafficPolicy are for clients outside the cluster: write type: LoadBalancer or NodePort",
        fieldPath: ".type",
      },
      {
        rule: "!has(oldSelf.loadBalancerClass) || has(self.loadBalancerClass) || !has(self.type) || self.type != 'LoadBalancer'",
        message:
          "Kubernetes cannot remove the class: write another one, or leave out type until <name>-external is deleted",
        fieldPath: ".loadBalancerClass",
      },
    ),
  });

export type ServiceSettings = z.infer<typeof service>;
