import type { Rule } from "./rule.ts";
import { text } from "./text.ts";

const amount = "(0|[1-9][0-9]{0,6})";
const pattern = `^(${amount}h)?(${amount}m)?(${amount}s)?$`;

/** CEL: whether text is a metav1.Duration in whole hours, minutes and seconds, above zero. */
export function isDuration(self: string): string {
  return `(${self}.matches('${pattern}') && ${self}.matches('[1-9]'))`;
}

/** A duration above zero, such as 90s, 30m or 1h30m. */
export function duration(description: string, ...further: Rule[]) {
  return text(
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
  return text(description, 16, {
    rule: `self == '0s' || (${isDuration("self")} && duration(self) <= duration('${most}'))`,
    message: `must be a duration from 1s to ${most}, such as 60s, or 0s to turn the cache off`,
  });
}
