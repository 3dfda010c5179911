import type { Rule } from "./rule.ts";
import { text } from "./text.ts";

/** A regular expression (RE2) for a duration above zero in one unit. */
export const isDuration = "^[1-9][0-9]{0,6}[smh]$";

/** A duration above zero, such as 90s, 30m or 8h. */
export function duration(description: string, ...further: Rule[]) {
  return text(
    description,
    16,
    { rule: `self.matches('${isDuration}')`, message: "must be a duration such as 90s, 30m or 8h" },
    ...further,
  );
}

/** A rule that a duration is from `least` to `most`. A value that is no duration is another rule's. */
export function within(least: string, most: string, message: string): Rule {
  return {
    rule: `!self.matches('${isDuration}') || (duration(self) >= duration('${least}') && duration(self) <= duration('${most}'))`,
    message,
  };
}

/** For how long something is cached: 0s turns the cache off. */
export function cacheDuration(description: string, most: string) {
  return text(description, 16, {
    rule: `self == '0s' || (self.matches('${isDuration}') && duration(self) <= duration('${most}'))`,
    message: `must be a duration from 1s to ${most}, such as 60s, or 0s to turn the cache off`,
  });
}
