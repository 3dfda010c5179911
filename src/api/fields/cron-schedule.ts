import { z } from "zod";
import { requiredRemedy, rules } from "./rule.ts";
import { plainText } from "./text.ts";

const anyCase = (names: string) =>
  names
    .split(" ")
    .map((name) => name.replaceAll(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`))
    .join("|");
const months = anyCase("jan feb mar apr may jun jul aug sep oct nov dec");
const weekdays = anyCase("sun mon tue wed thu fri sat");

/** A list of values, ranges and steps of one part of a cron schedule. */
function part(value: string): string {
  const item = `((${value})|([*]|(${value})-(${value}))(/[1-9][0-9]?)?)`;
  return `${item}(,${item})*`;
}

const parts = [
  part("[0-5]?[0-9]"),
  part("[01]?[0-9]|2[0-3]"),
  part("0?[1-9]|[12][0-9]|3[01]"),
  part(`0?[1-9]|1[0-2]|${months}`),
  part(`[0-7]|${weekdays}`),
];

/** A cron schedule. The rule accepts some schedules without a time, which `api/cron.ts` finds. */
export function cronSchedule(description: string, remedy: string) {
  return z
    .string()
    .max(128)
    .meta({
      description,
      ...rules({
        rule: `self.matches('^(@(yearly|monthly|weekly|daily|hourly)|${parts.join(" ")})$')`,
        message:
          "must be a cron schedule such as 0 2 * * *: minute, hour, day of the month, month, day of the week; or @daily",
      }),
      ...requiredRemedy(remedy),
    });
}

/** The name of a time zone. */
export function timeZone(description: string) {
  return plainText(description, 64, {
    rule: "self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') && self != 'Local'",
    message: "must be a time zone of the IANA database, such as Europe/Berlin",
  });
}
