import { z } from "zod";
import { ownSegment } from "./external-url.ts";
import { hostName } from "./host-name.ts";
import { reservedKeys } from "./pod-metadata.ts";
import { mayBeEmpty, type Rule, rules } from "./rule.ts";
import { keysAreKeys, objectName, text } from "./text.ts";

/**
 * What would have the ingress controller do something for whoever writes it that the server is not there for. A controller
 * reads all namespaces, and some put what they find in annotations into their configuration.
 */
const foreignPowers: readonly Rule[] = [
  {
    rule: "!self.exists(key, key.matches('(-snippets?|/config-[a-z-]*|/(mirror|modsecurity)-[a-z-]*|/(permanent|temporal)-redirect)$'))",
    message:
      "snippets, config-…, mirror-…, modsecurity-… and redirects are not passed on: they become part of the controller's own configuration, which is everybody's",
  },
  {
    rule: "!self.exists(key, key.matches('/(auth-[a-z-]*|.*-secret(-name)?|satisfy)$'))",
    message:
      "auth-… and …-secret are not passed on: who comes in is said by authentication and proxy (a request has one Authorization header), and Secrets of other namespaces are not ours to name; for certificates there is tls",
  },
  {
    rule: "!self.exists(key, key.matches('/(server-alias|server-alias-regex|default-backend|upstream-vhost)$') || key == 'kubernetes.io/ingress.class')",
    message:
      "server-alias, default-backend, upstream-vhost and kubernetes.io/ingress.class are not passed on: name hosts in hosts, and the class in className",
  },
  {
    rule: "self.all(key, !key.startsWith('nginx') || !self[key].matches('[{};$#]'))",
    message: "values for NGINX have none of { } ; $ #, which would end or extend a line of its configuration",
  },
];

const path = text("A path below the prefix, / for all. Example: /v1/traces.", 253, {
  rule: `self == '/' || (self.matches('^/${ownSegment}(/[A-Za-z0-9._~-]+)*$') && !self.matches('/[.]{1,2}(/|$)'))`,
  message:
    "a path is / or one of MLflow's own, such as /v1/traces, without a slash at its end: a prefix is the path of externalURL, and is put before it",
});

const host = z
  .strictObject({
    host: hostName("The host. Example: mlflow.example.com."),
    paths: z
      .array(path)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Paths that are led to the server, each with all below it. Default: all.",
        ...rules({ rule: "self.size() > 0", message: "no path leads nowhere: leave out paths for all" }),
      })
      .optional(),
  })
  .meta({ description: "A host, and which paths of it." });

const certificate = z
  .strictObject({
    secretName: objectName(
      "Name of a Secret of type kubernetes.io/tls in the server's namespace, which the controller reads; cert-manager makes it where an annotation asks for it.",
    ),
    hosts: z
      .array(hostName("A host."))
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Hosts that it is for. Default: all.",
        ...rules({ rule: "self.size() > 0", message: "a certificate is for a host: leave out hosts for all" }),
      })
      .optional(),
  })
  .meta({ description: "A certificate." });

/** The Ingress that leads to the server. */
export const ingress = z
  .strictObject({
    className: objectName("Class of the Ingress. Default: the cluster's default class. Example: nginx.").optional(),
    annotations: z
      .record(z.string(), text("Value.", 1024))
      .meta({
        description:
          'Annotations for the controller; those that reach beyond the server are refused. Example: nginx.ingress.kubernetes.io/proxy-body-size: "0".',
        maxProperties: 32,
        ...rules(keysAreKeys, reservedKeys, ...foreignPowers),
      })
      .optional(),
    hosts: z
      .array(host)
      .max(16)
      .meta({
        description: "Hosts that lead to the server. Default: that of externalURL.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["host"],
        ...rules({ rule: "self.size() > 0", message: "name a host, or leave out hosts for that of externalURL" }),
      })
      .optional(),
    tls: z
      .array(certificate)
      .max(16)
      .meta({ "x-kubernetes-list-type": "atomic", description: "Certificates by which the controller speaks https." })
      .optional(),
  })
  .meta({
    description: "An Ingress of the server's name, which leads to it. Example: ingress: {className: nginx}.",
    ...mayBeEmpty,
    ...rules({
      rule: "!has(self.tls) || self.tls.all(each, !has(each.hosts) || (has(self.hosts) && each.hosts.all(name, self.hosts.exists(entry, entry.host == name))))",
      message: "tls names a host that is none of hosts: name it there, too, or leave out tls.hosts for all",
      fieldPath: ".tls",
    }),
  });

export type IngressSettings = z.infer<typeof ingress>;
