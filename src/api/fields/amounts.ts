import { z } from "zod";
import { type Rule, rules } from "./rule.ts";

const isAmount: Rule = {
  rule: "type(self) == int ? self >= 0 : self.matches('^[0-9]+([.][0-9]+)?([KMGTPE]i|[mkMGTPE])?$')",
  message: "must be a Kubernetes quantity such as 500m, 2 or 10Gi, without sign, space and exponent",
};

/** Text, or a whole number without quotes, as people write `cpu: 2`. A fraction without quotes is a type that no CRD can have beside these. */
const amount = z.union([z.int(), z.string()]).meta({
  description: "An amount. Example: 500m, 2 or 1Gi; a fraction in quotes: '0.5'.",
  maxLength: 32,
  "x-kubernetes-int-or-string": true,
  ...rules(isAmount),
});

/** Amounts of compute resources, by resource. */
export function amounts(description: string) {
  return z.record(z.string(), amount).meta({ description, maxProperties: 16 });
}

export type Amounts = Readonly<Record<string, z.infer<typeof amount>>>;

const [request, limit] = ["self.requests[name]", "self.limits[name]"];
const isQuantity = (self: string) => `(type(${self}) == int || isQuantity(${self}))`;
/** An int is added, since the cost of its text has no bound that the API server would know. */
const quantity = (self: string) => `(type(${self}) == int ? quantity('0').add(${self}) : quantity(${self}))`;

/** For an object with `requests` and `limits`. */
export const requestsWithinLimits: Rule = {
  rule: `!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || !${isQuantity(request)} || !${isQuantity(limit)} || ${quantity(request)}.compareTo(${quantity(limit)}) <= 0)`,
  message: "a request cannot be above the limit of the same resource: lower requests or raise limits",
};
