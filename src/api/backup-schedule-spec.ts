import { z } from "zod";
import { backedUpServer, backupDestination, keptBackups, notOnOwnVolume } from "./backup-spec.ts";
import { cronSchedule, timeZone } from "./fields/cron-schedule.ts";
import { requiredRemedy, rules } from "./fields/rule.ts";

/** What a user writes under `spec` of an MlflowBackupSchedule. */
export const mlflowBackupScheduleSpec = z
  .strictObject({
    serverRef: backedUpServer.meta({
      ...backedUpServer.meta(),
      description: "The MlflowServer in this namespace. It cannot be changed. Example: {name: tracking}.",
      ...rules({
        rule: "self == oldSelf",
        message: "serverRef cannot be changed: create another MlflowBackupSchedule",
      }),
    }),
    schedule: cronSchedule("Cron schedule. Example: 0 2 * * *.", "write a cron schedule, such as 0 2 * * *"),
    timeZone: timeZone("Time zone of the schedule. Default: Etc/UTC. Example: Europe/Berlin.").optional(),
    suspend: z
      .boolean()
      .meta({
        description:
          "Whether no backups are created. After its end the last missed one is created. Default: false. Example: true.",
      })
      .optional(),
    startingDeadline: z
      .string()
      .max(8)
      .meta({
        description:
          "Time after which a missed backup is skipped. Default: none; the last missed one is created as soon as possible. Example: 4h.",
        ...rules({ rule: "self.matches('^[1-9][0-9]*[hms]$')", message: "must be a time such as 4h or 30m" }),
      })
      .optional(),
    retention: z
      .strictObject(keptBackups)
      .meta({
        description:
          "Which backups of this schedule are deleted, with their files, after a new one is complete, which is never deleted. With keep and olderThan, those that neither keeps. Default: none. Example: {keep: 7, olderThan: 720h}.",
        ...rules({
          rule: "has(self.keep) || has(self.olderThan)",
          message:
            "retention without a number or an age keeps all backups: write keep: 7, olderThan: 720h or both, or remove retention",
        }),
      })
      .optional(),
    destination: backupDestination,
  })
  .meta({
    description: "The server, when it is backed up, and where the backups are written.",
    ...rules(notOnOwnVolume),
    ...requiredRemedy("write spec with serverRef, schedule and destination"),
  });

export type MlflowBackupScheduleSpec = z.infer<typeof mlflowBackupScheduleSpec>;
