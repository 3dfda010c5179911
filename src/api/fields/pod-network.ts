/** Name resolution of a pod (core/v1), with the same names, types and meaning. The descriptions are short: the size of the schema is limited. */
import { z } from "zod";
import { rules } from "./rule.ts";

const octet = "25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]";
const group = "[0-9A-Fa-f]{1,4}";
const ipv6 = `(:|(${group}:){1,7})(:|(:${group}){1,7})|(${group}:){7}${group}`;

/** An address as Kubernetes accepts it in new objects: no leading zeros, no zone, no embedded IPv4 address. The dot in front shortens the expression. */
const isAddress = `('.' + self).matches('^(([.](${octet})){4}|[.](${ipv6}))$')`;

const name = "[a-z0-9]+((-+|[.])[a-z0-9]+)*";

/** `hostAliases` of a pod. Programs in Go use all addresses of a name, so another one of localhost would also be used for the pod itself. */
export const hostAliases = z
  .array(
    z
      .strictObject({
        ip: z
          .string()
          .max(39)
          .meta({
            description: "IP address.",
            ...rules({ rule: isAddress, message: "must be an IP address such as 10.1.2.3 or fd00::1" }),
          }),
        hostnames: z
          .array(
            z
              .string()
              .max(253)
              .meta({
                description: "A host name.",
                ...rules({
                  rule: `self != 'localhost' && self.matches('^${name}$')`,
                  message: "must be a lower case host name such as db.example.com, not localhost",
                }),
              }),
          )
          .min(1)
          .max(16)
          .meta({ "x-kubernetes-list-type": "set", description: "Host names." }),
      })
      .meta({ description: "An address with host names." }),
  )
  .max(16)
  .meta({
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["ip"],
    description:
      "Entries of /etc/hosts in the pods. Default: none. Example: [{ip: 10.1.2.3, hostnames: [db.example.com]}].",
  });

/** `dnsConfig` of a pod, without name servers: those would replace the cluster's, which resolve Services. Eight
 * search domains of the greatest length are within the limit of Kubernetes, 2048 characters in all. */
export const dnsConfig = z
  .strictObject({
    searches: z
      .array(
        z
          .string()
          .max(253)
          .meta({
            description: "A domain.",
            ...rules({ rule: `self.matches('^${name}$')`, message: "must be a lower case domain" }),
          }),
      )
      .max(8)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Further search domains. Default: none. Example: [corp.example.com].",
      })
      .optional(),
    options: z
      .array(
        z
          .strictObject({
            name: z
              .enum(["ndots", "timeout", "attempts", "rotate", "single-request-reopen", "use-vc"])
              .meta({ description: "Name." }),
            value: z.string().max(2).meta({ description: "Value. Default: none." }).optional(),
          })
          .meta({
            description: "An option.",
            ...rules({
              rule: "self.name in ['ndots', 'timeout', 'attempts'] ? has(self.value) && self.value.matches('^[0-9]+$') : !has(self.value)",
              message: 'ndots, timeout and attempts need a number as text, such as "2"; others have no value',
              fieldPath: ".value",
            }),
          }),
      )
      .max(6)
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        description: 'Options of the resolver. Default: those of the cluster. Example: [{name: ndots, value: "2"}].',
      })
      .optional(),
  })
  .meta({
    description: 'Further DNS settings of the pods. Default: none. Example: {options: [{name: ndots, value: "2"}]}.',
  });
