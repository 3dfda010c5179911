import { z } from "zod";
import { hostName } from "./host-name.ts";
import { demanded, rules } from "./rule.ts";
import { objectName, text } from "./text.ts";

const parent = z
  .strictObject({
    name: objectName("Name of the Gateway.").meta(demanded("write the name of the Gateway, such as name: platform")),
    namespace: text("Namespace of the Gateway. Default: that of the server. Example: gateways.", 63, {
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be the name of one namespace, such as gateways",
    }).optional(),
    sectionName: objectName(
      "Name of the Gateway's listener. Default: all that take the route. Example: https.",
    ).optional(),
    port: z.int().min(1).max(65_535).meta({ description: "Port of the Gateway's listener. Default: any." }).optional(),
  })
  .meta({ description: "A Gateway, or one listener of it." });

/** The HTTPRoute that leads to the server. */
export const httpRoute = z
  .strictObject({
    parentRefs: z
      .array(parent)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description: "The Gateways by which clients come. Example: [{name: platform, namespace: gateways}].",
        ...demanded("name the Gateway, such as parentRefs: [{name: platform, namespace: gateways}]"),
        ...rules({
          rule: "self.size() > 0",
          message: "without a Gateway nobody comes: name one, such as [{name: platform, namespace: gateways}]",
        }),
      }),
    hostnames: z
      .array(hostName("A host. Example: mlflow.example.com."))
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Hosts that lead to the server. Default: that of externalURL.",
        ...rules(
          { rule: "self.size() > 0", message: "name a host, or leave out hostnames for that of externalURL" },
          { rule: "self.all(one, self.filter(other, other == one).size() == 1)", message: "name each host once" },
        ),
      })
      .optional(),
  })
  .meta({ description: "An HTTPRoute of the Gateway API, of the server's name, which leads to it." });

export type HttpRouteSettings = z.infer<typeof httpRoute>;
