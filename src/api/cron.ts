import { Cron } from "croner";

/** The times of a cron schedule in a time zone. */
export interface CronTimes {
  /** The first time after the given one. */
  next(after: Date): Date | undefined;
  /** The last time that is not after the given one. */
  latest(now: Date): Date | undefined;
}

/** The times of a schedule, or why it has none: what the schema cannot check. */
export function cronTimes(schedule: string, timeZone = "Etc/UTC"): CronTimes | { readonly problem: CronProblem } {
  if (!isTimeZone(timeZone))
    return { problem: { field: "timeZone", text: "must be a time zone of the IANA database, such as Europe/Berlin" } };
  try {
    // Never started: it only computes times.
    const cron = new Cron(schedule, { timezone: timeZone, mode: "5-part", paused: true });
    if (cron.nextRun() === null) return { problem: noTime };
    return {
      next: (after) => cron.nextRun(after) ?? undefined,
      // The reference itself is not included, and parts of a second are ignored.
      latest: (now) => cron.previousRuns(1, new Date((Math.floor(now.getTime() / 1000) + 1) * 1000))[0],
    };
  } catch {
    return { problem: notCron };
  }
}

const known = new WeakMap<object, ReturnType<typeof cronTimes>>();

/** {@link cronTimes} of a spec, which is never mutated: parsing takes most of the time. */
export function timesOf(spec: { readonly schedule: string; readonly timeZone?: string | undefined }) {
  const times = known.get(spec) ?? cronTimes(spec.schedule, spec.timeZone);
  known.set(spec, times);
  return times;
}

export interface CronProblem {
  readonly field: "schedule" | "timeZone";
  readonly text: string;
}

const noTime: CronProblem = {
  field: "schedule",
  text: "names no time, such as the 30th of February: write days and months that exist",
};
const notCron: CronProblem = {
  field: "schedule",
  text: "must be a cron schedule such as 0 2 * * *: the first value of a range must not be greater than the second, and a step not greater than the range",
};

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
