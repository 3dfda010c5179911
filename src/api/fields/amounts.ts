import { z } from "zod";
import type { Rule } from "./rule.ts";
import { quantity } from "./text.ts";

/** Amounts of compute resources, by resource. */
export function amounts(description: string) {
  return z.record(z.string(), quantity("An amount. Example: 500m or 1Gi.")).meta({ description, maxProperties: 16 });
}

/** For an object with `requests` and `limits`. */
export const requestsWithinLimits: Rule = {
  rule: "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || !isQuantity(self.requests[name]) || !isQuantity(self.limits[name]) || quantity(self.requests[name]).compareTo(quantity(self.limits[name])) <= 0)",
  message: "a request cannot be above the limit of the same resource: lower requests or raise limits",
};
