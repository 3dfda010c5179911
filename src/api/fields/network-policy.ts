import { z } from "zod";
import { rules } from "./rule.ts";
import { labelSelector } from "./scheduling.ts";
import { matching } from "./text.ts";

export const cidr = (description: string) =>
  matching(
    description,
    64,
    "(([0-9]{1,3}[.]){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))",
    "must be a CIDR such as 10.0.0.0/8 or fd00::/8; for one address write 10.1.2.3/32",
  );

const peer = z
  .strictObject({
    namespaceSelector: labelSelector(
      "Namespaces by their labels; {} selects all. Example: {matchLabels: {kubernetes.io/metadata.name: team-a}}.",
    ).optional(),
    podSelector: labelSelector(
      "Pods by their labels; without namespaceSelector in the server's namespace. Example: {matchLabels: {app: gateway}}.",
    ).optional(),
    ipBlock: z
      .strictObject({
        cidr: cidr("CIDR. Example: 10.0.0.0/8."),
        except: z.array(cidr("An excluded CIDR. Example: 10.1.0.0/16.")).max(16).optional().meta({
          description: "Excluded CIDRs. Default: none. Example: [10.1.0.0/16].",
          "x-kubernetes-list-type": "atomic",
        }),
      })
      .meta({
        description:
          "A range of addresses outside the pod network: nodes, load balancers, other machines. Example: {cidr: 10.0.0.0/8}.",
      })
      .optional(),
  })
  .meta({
    description: "A peer: pods or addresses.",
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
          "Whether the operator creates a NetworkPolicy that allows connections to the serving port only. Network plugins that do not implement NetworkPolicies ignore it silently. Default: true. Example: false.",
      })
      .optional(),
    from: z
      .array(peer)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Allowed clients of the serving port. Default: all, in any namespace and outside the cluster. [] allows only the kubelet of the node. Example: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-a}}}].",
      })
      .optional(),
    metadataService: z
      .enum(["Allowed", "Denied"])
      .meta({
        description:
          "Whether the pods can reach the metadata services of clouds (169.254.0.0/16, fd00:ec2::/32 and others), which issue credentials of the node. Default: Denied, but Allowed if the pods get their credentials from the cloud: with a bucket without credentials, and with serviceAccount.annotations. Example: Denied.",
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
              "Further TCP ports, such as that of an HTTP proxy, or the target port of a Service if it differs from the port in the spec. Default: none. Example: [3128].",
          })
          .optional(),
      })
      .meta({
        description:
          "Restricts outgoing connections to DNS and the TCP ports of the servers in the spec (databases, artifact store, directory, issuers, Redis, API server), at any address, since a NetworkPolicy has no host names. Default: not restricted, except by metadataService. Example: {}.",
      })
      .optional(),
  })
  .meta({
    description:
      "The NetworkPolicy of the pods. Default: one that allows connections to the serving port only. Example: {from: [{podSelector: {}}]}.",
    ...rules({
      rule: "!has(self.enabled) || self.enabled || !(has(self.from) || has(self.egress) || has(self.metadataService))",
      message:
        "without a NetworkPolicy nothing is restricted: leave out enabled: false, or leave out from, egress and metadataService",
      fieldPath: ".enabled",
    }),
  });

export type NetworkPolicySettings = z.infer<typeof networkPolicy>;
