import type { MaintenanceWindow } from "../api/fields/upgrade.ts";

/** The week as it is in `Date`. */
const weekdays: readonly NonNullable<MaintenanceWindow["days"]>[number][] = [
  "Sun",
  "Mon",
  "Tue",
  "Wed",
  "Thu",
  "Fri",
  "Sat",
];

const hour = 3_600_000;
const day = 24 * hour;

/** Returns undefined in a maintenance window, and otherwise the time at which the next one starts. */
export function nextWindow({ days = [...weekdays], startHour, hours }: MaintenanceWindow, now: Date): Date | undefined {
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), startHour);
  // The window of yesterday may continue after midnight; the next one starts within a week.
  const starts = Array.from({ length: 9 }, (_, index) => today + (index - 1) * day).filter((time) => {
    const weekday = weekdays[new Date(time).getUTCDay()];
    return weekday !== undefined && days.includes(weekday);
  });
  const isOpen = starts.some((time) => time <= now.getTime() && now.getTime() < time + hours * hour);
  const next = starts.find((time) => time > now.getTime());
  return isOpen || next === undefined ? undefined : new Date(next);
}
