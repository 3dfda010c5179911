import { z } from "zod";
import { ownSegment } from "./external-url.ts";
import { hostName } from "./host.ts";
import { reservedKeys } from "./pod-metadata.ts";
import { mayBeEmpty, type Rule, rules } from "./rule.ts";
import { keysAreKeys, objectName, plainText, text } from "./text.ts";

/**
 * Annotations with effects beyond the Ingress of the server. An ingress controller reads all namespaces, and some
 * controllers write the values of annotations into their own configuration.
 */
export const unsafeAnnotations: readonly Rule[] = [
  {
    rule: "!self.exists(key, key.matches('(-snippets?|/config-[a-z-]*|/(mirror|modsecurity)-[a-z-]*|/(permanent|temporal)-redirect)$'))",
    message:
      "snippets, config-…, mirror-…, modsecurity-… and redirects are rejected, since they become part of the configuration that the controller shares between all Ingresses: remove them",
  },
  {
    rule: "!self.exists(key, key.matches('/(auth-[a-z-]*|.*-secret(-name)?|satisfy)$'))",
    message:
      "auth-… and …-secret are rejected, since spec.authentication decides who is allowed access, and they can reference Secrets of other namespaces: remove them, and use tls for certificates",
  },
  {
    rule: "!self.exists(key, key.matches('/(server-alias|server-alias-regex|default-backend|upstream-vhost)$') || key == 'kubernetes.io/ingress.class')",
    message:
      "server-alias, default-backend, upstream-vhost and kubernetes.io/ingress.class are rejected: write hosts in hosts, and the class in className",
  },
  {
    rule: "self.all(key, !key.startsWith('nginx') || !self[key].matches('[{};$#]'))",
    message:
      "values for NGINX cannot contain { } ; $ #, which would end or extend a line of its configuration: remove them",
  },
];

const path = plainText("A path below the prefix; / matches all. Example: /v1/traces.", 253, {
  rule: `self == '/' || (self.matches('^/${ownSegment}(/[A-Za-z0-9._~-]+)*$') && !self.matches('/[.]{1,2}(/|$)'))`,
  message:
    "a path is / or a path of MLflow, such as /v1/traces, without a trailing slash: write the prefix as the path of externalURL; it is added in front",
});

const host = z
  .strictObject({
    host: hostName("The host. Example: mlflow.example.com."),
    paths: z
      .array(path)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Path prefixes that are routed to the server. Default: all. Example: [/v1/traces].",
        ...rules({ rule: "self.size() > 0", message: "an empty list routes nothing: leave out paths for all" }),
      })
      .optional(),
  })
  .meta({ description: "A host with its paths. Example: {host: mlflow.example.com}." });

const certificate = z
  .strictObject({
    secretName: objectName(
      "Name of a Secret of type kubernetes.io/tls in the server's namespace, which the ingress controller reads; cert-manager creates it if an annotation requests it. Example: mlflow-tls.",
    ),
    hosts: z
      .array(hostName("A host."))
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Hosts of the certificate. Default: all. Example: [mlflow.example.com].",
        ...rules({ rule: "self.size() > 0", message: "an empty list selects no host: leave out hosts for all" }),
      })
      .optional(),
  })
  .meta({ description: "A certificate." });

/** The Ingress of the server. */
export const ingress = z
  .strictObject({
    className: objectName("IngressClass. Default: the default class of the cluster. Example: nginx.").optional(),
    annotations: z
      .record(z.string(), text("Value.", 1024))
      .meta({
        description:
          'Annotations for the ingress controller; those with effects beyond this server are rejected. Default: none. Example: {nginx.ingress.kubernetes.io/proxy-body-size: "0"}.',
        maxProperties: 32,
        ...rules(keysAreKeys, reservedKeys, ...unsafeAnnotations),
      })
      .optional(),
    hosts: z
      .array(host)
      .max(16)
      .meta({
        description:
          "Hosts that are routed to the server. Default: that of externalURL. Example: [{host: mlflow.example.com}].",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["host"],
        ...rules({ rule: "self.size() > 0", message: "write a host, or leave out hosts for that of externalURL" }),
      })
      .optional(),
    tls: z
      .array(certificate)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Certificates with which the ingress controller serves https. Default: none. Example: [{secretName: mlflow-tls}].",
      })
      .optional(),
  })
  .meta({
    description: "An Ingress to the server, with the server's name. Example: {className: nginx}.",
    ...mayBeEmpty,
    ...rules({
      rule: "!has(self.tls) || self.tls.all(each, !has(each.hosts) || (has(self.hosts) && each.hosts.all(name, self.hosts.exists(entry, entry.host == name))))",
      message: "a host of tls is not in hosts: add it there, or leave out tls.hosts for all",
      fieldPath: ".tls",
    }),
  });

export type IngressSettings = z.infer<typeof ingress>;
