import { url } from "./text.ts";

const pattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/** A host of an Ingress or HTTPRoute, without wildcards, since MLflow accepts exact hosts only. */
export function hostName(description: string) {
  return url(
    description,
    253,
    {
      rule: "!self.contains('*')",
      message:
        "a host has no wildcard, since MLflow accepts exact hosts only: write each host, such as mlflow.example.com",
    },
    {
      rule: `self.contains('*') || (self.matches('^${pattern}$') && self.matches('(^|[.])[a-z][-a-z0-9]*$'))`,
      message:
        "a host is a name such as mlflow.example.com in lower case: no scheme, no port, no path, no address, and no last label that begins with a digit; a port belongs in externalURL",
    },
  );
}

/** CEL: whether the host of a URL is this one, with or without a port. */
export function isHostOf(url: string, host: string): string {
  const begins = ["https://", "http://"].flatMap((scheme) => [
    `${url} == '${scheme}' + ${host}`,
    ...["/", ":"].map((next) => `${url}.startsWith('${scheme}' + ${host} + '${next}')`),
  ]);
  return `(${begins.join(" || ")})`;
}

const hex = "[0-9A-Fa-f]{1,4}";

/**
 * An IPv6 address in all forms except those with an embedded IPv4 address. The groups on both sides of :: are not added up: that takes a
 * pattern four times as long, in each field with a URL.
 */
const ipv6 = `(${hex}:){7}${hex}|((${hex}:){1,7}|:)((:${hex}){1,7}|:)`;

const octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

/** A port from 1 to 65535. */
export const portPattern = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/** An IPv6 address in brackets. */
export const ipv6Pattern = String.raw`\\[(${ipv6})\\]`;

/**
 * A host of a URL, as a regular expression (RE2): a name, an IPv4 or an IPv6 address. The last label of a name cannot begin
 * with a digit: URL parsers interpret such a name as an address and fail.
 */
const hostPattern = `(([A-Za-z0-9._-]*[.])?[A-Za-z_][A-Za-z0-9_-]*[.]?|(${octet}[.]){3}${octet}|${ipv6Pattern})`;

/** A host with an optional port. */
export const hostWithPort = `${hostPattern}(:${portPattern})?`;
