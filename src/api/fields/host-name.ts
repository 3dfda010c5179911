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
