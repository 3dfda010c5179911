import { z } from "zod";
import { hostName } from "./host.ts";
import { requiredRemedy, rules } from "./rule.ts";
import { namespaceName, objectName } from "./text.ts";

const parent = z
  .strictObject({
    name: objectName("Name of the Gateway.").meta(
      requiredRemedy("write the name of the Gateway, such as name: platform"),
    ),
    namespace: namespaceName(
      "Namespace of the Gateway. Default: that of the server. Example: gateways.",
      "gateways",
    ).optional(),
    sectionName: objectName(
      "Name of the Gateway's listener. Default: all listeners that accept the route. Example: https.",
    ).optional(),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .meta({ description: "Port of the Gateway's listener. Default: any. Example: 443." })
      .optional(),
  })
  .meta({ description: "A Gateway, or one of its listeners. Example: {name: platform, namespace: gateways}." });

/** The HTTPRoute to the server. */
export const httpRoute = z
  .strictObject({
    parentRefs: z
      .array(parent)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description: "The Gateways that the route is attached to. Example: [{name: platform, namespace: gateways}].",
        ...requiredRemedy("write the Gateway, such as parentRefs: [{name: platform, namespace: gateways}]"),
        ...rules({
          rule: "self.size() > 0",
          message:
            "without a Gateway the route gets no traffic: write one, such as [{name: platform, namespace: gateways}]",
        }),
      }),
    hostnames: z
      .array(hostName("A host. Example: mlflow.example.com."))
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Hosts that are routed to the server. Default: that of externalURL. Example: [mlflow.example.com].",
        ...rules(
          { rule: "self.size() > 0", message: "write a host, or leave out hostnames for that of externalURL" },
          { rule: "self.all(one, self.filter(other, other == one).size() == 1)", message: "write each host once" },
        ),
      })
      .optional(),
  })
  .meta({
    description:
      "An HTTPRoute of the Gateway API to the server, with the server's name. Example: {parentRefs: [{name: platform, namespace: gateways}]}.",
  });

export type HttpRouteSettings = z.infer<typeof httpRoute>;
