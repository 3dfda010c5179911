import { text } from "./text.ts";

const shape = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/** A host as Ingress and HTTPRoute take it. Each is named exactly, since MLflow answers to exact hosts only. */
export function hostName(description: string) {
  return text(
    description,
    253,
    {
      rule: "!self.contains('*')",
      message: "each host is named exactly, such as mlflow.example.com, without *: MLflow answers to exact hosts only",
    },
    {
      rule: `self.contains('*') || (self.matches('^${shape}$') && self.matches('(^|[.])[a-z][-a-z0-9]*$'))`,
      message:
        "a host is a name such as mlflow.example.com in lower case: no scheme, no port, no path, no address, and no last part that begins with a digit; a port belongs into externalURL",
    },
  );
}

/** CEL: whether the host of a URL is this one, with a port or without, in the letters that names of hosts have. */
export function isHostOf(url: string, host: string): string {
  const begins = ["https://", "http://"].flatMap((scheme) => [
    `${url} == '${scheme}' + ${host}`,
    ...["/", ":"].map((next) => `${url}.startsWith('${scheme}' + ${host} + '${next}')`),
  ]);
  return `(${begins.join(" || ")})`;
}
