import { z } from "zod";
import { externalURL } from "./external-url.ts";
import { isHostOf } from "./host.ts";
import { httpRoute } from "./http-route.ts";
import { ingress } from "./ingress.ts";
import { mayBeEmpty, type Rule, rules } from "./rule.ts";

const hosts = "has(self.ingress) && has(self.ingress.hosts)";
const hostnames = "has(self.httpRoute) && has(self.httpRoute.hostnames)";
/** Whether one of them defaults to the host of `externalURL`. */
const isByUrl =
  "((has(self.ingress) && !has(self.ingress.hosts)) || (has(self.httpRoute) && !has(self.httpRoute.hostnames)))";

const consistency: readonly Rule[] = [
  {
    rule: `has(self.externalURL) || !${isByUrl}`,
    message:
      "ingress and httpRoute need a host: write externalURL, such as https://mlflow.example.com, or ingress.hosts: [{host: mlflow.example.com}], or httpRoute.hostnames: [mlflow.example.com]",
  },
  {
    rule: `!has(self.externalURL) || !${isByUrl} || self.externalURL.matches('^https?://([a-z0-9.-]*[.])?[a-z][a-z0-9-]*(:|/|$)')`,
    message:
      "the host of externalURL is also that of ingress and httpRoute, so it must be a lower case name such as mlflow.example.com, not an address",
    fieldPath: ".externalURL",
  },
  {
    rule: `!has(self.externalURL) || !(has(self.ingress) || has(self.httpRoute)) || ${isByUrl} || (${hosts} && self.ingress.hosts.exists(each, ${isHostOf("self.externalURL", "each.host")})) || (${hostnames} && self.httpRoute.hostnames.exists(each, ${isHostOf("self.externalURL", "each")}))`,
    message:
      "the host of externalURL is not in ingress.hosts or httpRoute.hostnames: add it there, or write externalURL with one of these hosts",
    fieldPath: ".externalURL",
  },
  {
    rule: "!(has(self.externalURL) && has(self.ingress) && has(self.ingress.tls) && self.ingress.tls.size() > 0) || self.externalURL.startsWith('https://')",
    message: "with ingress.tls clients use https: write externalURL with https://, or leave out ingress.tls",
    fieldPath: ".externalURL",
  },
];

/** Exposure of the server outside the cluster. */
export const exposure = z
  .strictObject({
    externalURL: externalURL.optional(),
    ingress: ingress.optional(),
    httpRoute: httpRoute.optional(),
  })
  .meta({
    description:
      "Exposure of the server outside the cluster. Default: it is reachable only in the cluster. Example: {externalURL: https://mlflow.example.com, ingress: {className: nginx}}.",
    ...mayBeEmpty,
    ...rules(...consistency),
  });

export type Exposure = z.infer<typeof exposure>;
