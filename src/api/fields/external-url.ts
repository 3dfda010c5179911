import { hostWithPort } from "./host.ts";
import type { Rule } from "./rule.ts";
import { url } from "./text.ts";

/** First path segments of endpoints of MLflow, its plugins and the proxy. A prefix that begins with one would hide them. */
export const ownPaths = [
  ...["api", "ajax-api", "graphql", "v1", "gateway", "get-artifact", "model-versions", "static-files", "build"],
  ...["health", "version", "metrics", "signup", "account", "oidc", "login", "logout", "callback", "providers"],
  ...["scim", "slo", "saml", "docs", "redoc", "openapi.json", "oauth2", "ping", "ready", "robots.txt"],
];

/** The same as a regular expression. */
export const ownSegment = `(${ownPaths.map((path) => path.replace(".", "[.]")).join("|")})`;

const example = "such as https://platform.example.com/clusters/c1/mlflow";

const urlRules: readonly Rule[] = [
  {
    rule: "self.matches('^https?://')",
    message: `externalURL begins with https:// or http://, ${example}`,
  },
  {
    rule: "!self.endsWith('/')",
    message: `externalURL has no trailing slash: write it without, ${example}`,
  },
  {
    rule: "!self.matches('[?#]')",
    message: `externalURL has neither query nor fragment: write scheme, host and path only, ${example}`,
  },
  {
    rule: `self.matches('[?#]|/$') || !self.matches('^https?://') || (self.matches('^https?://${hostWithPort}(/[A-Za-z0-9._~-]+)*$') && !self.matches('/[.]{1,2}(/|$)'))`,
    message: `externalURL is a host, with a port up to 65535 where needed, and a path of letters, digits, -, _, . and ~, ${example}: without user, space, %, //, . and ..`,
  },
  {
    rule: `!self.matches('^https?://[^/]+/${ownSegment}(/|$)')`,
    message: `the path of externalURL begins with a path of MLflow (${ownPaths.join(", ")}), which clients in the cluster could then not reach: put another segment before it, such as /mlflow`,
  },
];

/** The URL for clients outside the cluster. */
export const externalURL = url(
  "The URL for clients outside the cluster. Its path is the prefix, which a gateway can pass on or strip. " +
    "Clients in the cluster use the URL of the Service, without the prefix. Default: the first host of ingress, or else of httpRoute, " +
    "without a prefix, with https, or http for an ingress without tls. Example: https://platform.example.com/clusters/c1/mlflow.",
  256,
  ...urlRules,
);
