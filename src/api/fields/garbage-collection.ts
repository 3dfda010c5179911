import { z } from "zod";
import { rules } from "./rule.ts";

const part = "[0-9A-Za-z*,/-]+";

/** The deletion of what users have deleted in MLflow, which MLflow itself keeps. */
export const garbageCollection = z
  .strictObject({
    schedule: z
      .string()
      .max(64)
      .meta({
        description: "Schedule, in UTC. Example: 0 3 * * *.",
        ...rules({
          rule: `self.matches('^(@(yearly|monthly|weekly|daily|hourly)|${part}( ${part}){4})$')`,
          message: "must be a cron schedule such as 0 3 * * *",
        }),
      }),
    olderThan: z
      .string()
      .max(8)
      .meta({
        description: "Time since the deletion. Default: 720h. Example: 168h.",
        ...rules({ rule: "self.matches('^[1-9][0-9]*[hms]$')", message: "must be a time such as 168h or 90m" }),
      })
      .optional(),
    suspend: z.boolean().meta({ description: "Whether no Jobs start. Default: false. Example: true." }).optional(),
    dryRun: z.boolean().meta({ description: "Whether Jobs only count. Default: false. Example: true." }).optional(),
  })
  .meta({
    description:
      "The CronJob that deletes what was deleted in MLflow permanently, with its artifacts. Example: {schedule: 0 3 * * *}.",
  });
