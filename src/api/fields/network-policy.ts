import { z } from "zod";
import { rules } from "./rule.ts";
import { labelSelector } from "./scheduling.ts";
import { text } from "./text.ts";

const cidr = (description: string) =>
  text(description, 64, {
    rule: "self.matches('^(([0-9]{1,3}[.]){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$')",
    message: "must be a range of addresses such as 10.0.0.0/8 or fd00::/8; of one address 10.1.2.3/32",
  });

const peer = z
  .strictObject({
    namespaceSelector: labelSelector(
      "Namespaces, by their labels; {} is all of them. Example: {matchLabels: {kubernetes.io/metadata.name: team-a}}.",
    ).optional(),
    podSelector: labelSelector("Pods; without namespaceSelector those of the server's namespace.").optional(),
    ipBlock: z
      .strictObject({
        cidr: cidr("Addresses. Example: 10.0.0.0/8."),
        except: z
          .array(cidr("Addresses that are left out."))
          .max(16)
          .optional()
          .meta({ description: "Left out.", "x-kubernetes-list-type": "atomic" }),
      })
      .meta({ description: "Addresses, for what is no pod: nodes, load balancers, machines elsewhere." })
      .optional(),
  })
  .meta({
    description: "Pods, or addresses.",
    ...rules({
      rule: "has(self.ipBlock) != (has(self.namespaceSelector) || has(self.podSelector))",
      message:
        "an entry is either ipBlock, or namespaceSelector and/or podSelector: write one of them, and namespaceSelector: {} for all namespaces",
    }),
  });

/** The NetworkPolicy of a server's pods. */
export const networkPolicy = z
  .strictObject({
    enabled: z
      .boolean()
      .meta({
        description:
          "Whether there is a NetworkPolicy: the pods are reached at the port of their door and at no other. Default: true. Networks that do not enforce NetworkPolicies ignore it without a word.",
      })
      .optional(),
    from: z
      .array(peer)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Who may reach the door. Default: everybody, from any namespace and from outside of the cluster. []: nobody but the node's own kubelet. Example: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-a}}}].",
      })
      .optional(),
    metadataService: z
      .enum(["Allowed", "Denied"])
      .meta({
        description:
          "Whether the pods can reach the metadata services of clouds (169.254.0.0/16, fd00:ec2::/32 and others), which hand out credentials of the node. Default: Denied, but Allowed where the pods get their credentials from the cloud: with artifactStore.s3 without credentials, and with serviceAccount.annotations. Example: Denied.",
      })
      .optional(),
    egress: z
      .strictObject({
        ports: z
          .array(z.int().min(1).max(65_535).meta({ description: "A TCP port." }))
          .max(32)
          .meta({
            "x-kubernetes-list-type": "set",
            description:
              "TCP ports besides those that the spec names, such as that of an HTTP proxy, or the port of a pod behind a Service that has another.",
          })
          .optional(),
      })
      .meta({
        description:
          "Restricts whom the pods may call: DNS, and the TCP ports of what the spec names (databases, artifact store, directory, issuers, Redis, API server), at any address, since a NetworkPolicy knows no host names. Default: not restricted, but for metadataService. Example: egress: {}.",
      })
      .optional(),
  })
  .meta({
    description: "The NetworkPolicy of the pods. Default: one that leads to the door and to nothing else.",
    ...rules({
      rule: "!has(self.enabled) || self.enabled || !(has(self.from) || has(self.egress) || has(self.metadataService))",
      message: "without a NetworkPolicy nothing is restricted: leave out enabled: false, or from and egress",
      fieldPath: ".enabled",
    }),
  });

export type NetworkPolicySettings = z.infer<typeof networkPolicy>;
