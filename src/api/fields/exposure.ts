import { z } from "zod";
import { externalUrl } from "./external-url.ts";
import { isHostOf } from "./host-name.ts";
import { httpRoute } from "./http-route.ts";
import { ingress } from "./ingress.ts";
import { mayBeEmpty, type Rule, rules } from "./rule.ts";

const hosts = "has(self.ingress) && has(self.ingress.hosts)";
const hostnames = "has(self.httpRoute) && has(self.httpRoute.hostnames)";
/** Whether one of them takes the host of `externalUrl`. */
const isByUrl =
  "((has(self.ingress) && !has(self.ingress.hosts)) || (has(self.httpRoute) && !has(self.httpRoute.hostnames)))";

const consistency: readonly Rule[] = [
  {
    rule: `has(self.externalUrl) || !${isByUrl}`,
    message:
      "ingress and httpRoute need a host: write externalUrl, such as https://mlflow.example.com, or ingress.hosts: [{host: mlflow.example.com}], or httpRoute.hostnames: [mlflow.example.com]",
  },
  {
    rule: `!has(self.externalUrl) || !${isByUrl} || self.externalUrl.matches('^https?://([a-z0-9.-]*[.])?[a-z][a-z0-9-]*(:|/|$)')`,
    message:
      "the host of externalUrl becomes that of ingress and httpRoute, which must be a name such as mlflow.example.com in lower case, and no address",
    fieldPath: ".externalUrl",
  },
  {
    rule: `!has(self.externalUrl) || !(has(self.ingress) || has(self.httpRoute)) || ${isByUrl} || (${hosts} && self.ingress.hosts.exists(each, ${isHostOf("self.externalUrl", "each.host")})) || (${hostnames} && self.httpRoute.hostnames.exists(each, ${isHostOf("self.externalUrl", "each")}))`,
    message:
      "the host of externalUrl is none of ingress.hosts and httpRoute.hostnames: add it there, or write externalUrl with a host of these",
    fieldPath: ".externalUrl",
  },
  {
    rule: "!(has(self.externalUrl) && has(self.ingress) && has(self.ingress.tls) && self.ingress.tls.size() > 0) || self.externalUrl.startsWith('https://')",
    message: "with ingress.tls clients come by https: write externalUrl with https://, or leave out ingress.tls",
    fieldPath: ".externalUrl",
  },
];

/** How the server is reached from outside the cluster. */
export const exposure = z
  .strictObject({
    externalUrl: externalUrl.optional(),
    ingress: ingress.optional(),
    httpRoute: httpRoute.optional(),
  })
  .meta({
    description: "How the server is reached from outside the cluster.",
    ...mayBeEmpty,
    ...rules(...consistency),
  });

export type Exposure = z.infer<typeof exposure>;
