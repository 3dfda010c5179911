import { z } from "zod";
import { type Rule, rules } from "./rule.ts";
import { plainText } from "./text.ts";

/**
 * Decimal digits with an SI or binary suffix: a subset of k8s.io/apimachinery's resource.Quantity. The schema states it, and no
 * CEL rule: Kubernetes before 1.34 does not count `maxLength` of an int-or-string, and rejects the cost of a regular expression.
 * `pattern` applies to strings only, and `minimum` to numbers only.
 */
const amountPattern = "^[0-9]+([.][0-9]+)?([KMGTPE]i|[mkMGTPE])?$";

/** A string, or an integer without quotes as in `cpu: 2`. A CRD cannot allow a fraction without quotes as a third type. */
const amount = z.union([z.int(), z.string()]).meta({
  description: "An amount. Example: 500m, 2 or 1Gi; a fraction in quotes: '0.5'.",
  maxLength: 32,
  pattern: amountPattern,
  minimum: 0,
  "x-kubernetes-int-or-string": true,
});

/** Amounts of compute resources, by resource. */
export function amounts(description: string) {
  return z.record(z.string(), amount).meta({ description, maxProperties: 16 });
}

export type Amounts = Readonly<Record<string, z.infer<typeof amount>>>;

const [request, limit] = ["self.requests[r]", "self.limits[r]"];
const isQuantity = (self: string) => `(type(${self}) == int || isQuantity(${self}))`;
/** An int is added to a quantity of 0, since the API server cannot estimate the cost of converting it to a string. */
const quantity = (self: string) => `(type(${self}) == int ? quantity('0').add(${self}) : quantity(${self}))`;

/** For an object with `requests` and `limits`; `r` is a resource. Only for these resources: for all names the cost exceeds the limit of Kubernetes before 1.34. */
const requestsWithinLimits: Rule = {
  rule: `!has(self.requests) || !has(self.limits) || ['cpu', 'memory', 'ephemeral-storage'].all(r, !(r in self.requests) || !(r in self.limits) || !${isQuantity(request)} || !${isQuantity(limit)} || ${quantity(request)}.compareTo(${quantity(limit)}) <= 0)`,
  message: "a request cannot be above the limit of the same resource: lower requests or raise limits",
};

const isThousandths = (list: string) =>
  `has(self.${list}) && r in self.${list} && type(self.${list}[r]) == string && self.${list}[r].endsWith('m')`;

/** For an object with `requests` and `limits`. Kubernetes accepts such amounts with a warning, which clients of an operator do not see. */
const inBytes: Rule = {
  rule: `['memory', 'ephemeral-storage'].all(r, !(${isThousandths("requests")}) && !(${isThousandths("limits")}))`,
  message: "memory and ephemeral-storage in m are thousandths of a byte: write Mi, such as 512Mi",
};

/** Compute resources of containers; the descriptions of requests and limits name their defaults. */
export function resources(
  description: string,
  { requests, limits }: { readonly requests: string; readonly limits: string },
) {
  return z
    .strictObject({ requests: amounts(requests).optional(), limits: amounts(limits).optional() })
    .meta({ description, ...rules(requestsWithinLimits, inBytes) });
}

const wholeNumber = "(0|[1-9][0-9]{0,6})";
const pattern = `^(${wholeNumber}h)?(${wholeNumber}m)?(${wholeNumber}s)?$`;

/** CEL: whether text is a metav1.Duration in whole hours, minutes and seconds, above zero. */
export function isDuration(self: string): string {
  return `(${self}.matches('${pattern}') && ${self}.matches('[1-9]'))`;
}

/** A duration above zero, such as 90s, 30m or 1h30m. */
export function duration(description: string, ...further: Rule[]) {
  return plainText(
    description,
    16,
    { rule: isDuration("self"), message: "must be a duration such as 90s, 30m or 1h30m" },
    ...further,
  );
}

/** A rule that a duration is from `least` to `most`. Another rule rejects a value that is not a duration. */
export function within(least: string, most: string, message: string): Rule {
  return {
    rule: `!${isDuration("self")} || (duration(self) >= duration('${least}') && duration(self) <= duration('${most}'))`,
    message,
  };
}

/** The lifetime of cache entries: 0s disables the cache. */
export function cacheDuration(description: string, most: string) {
  return plainText(description, 16, {
    rule: `self == '0s' || (${isDuration("self")} && duration(self) <= duration('${most}'))`,
    message: `must be a duration from 1s to ${most}, such as 60s, or 0s to turn the cache off`,
  });
}
