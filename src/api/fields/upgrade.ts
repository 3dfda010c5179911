import { z } from "zod";
import { objectName } from "./text.ts";

const maintenanceWindow = z
  .strictObject({
    days: z
      .array(z.enum(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]).meta({ description: "Day." }))
      .min(1)
      .max(7)
      .meta({ description: "Days of its start. Default: all. Example: [Sat].", "x-kubernetes-list-type": "set" })
      .optional(),
    startHour: z.int().min(0).max(23).meta({ description: "Hour of its start, UTC. Example: 2." }),
    hours: z.int().min(1).max(24).meta({ description: "Length. Example: 4." }),
  })
  .meta({
    description: "When a change can begin. Default: always. Example: {startHour: 2, hours: 4}.",
  });

/** How a change of the version or the image is made. */
export const upgrade = z
  .strictObject({
    strategy: z
      .enum(["Rolling", "StopWriters"])
      .meta({
        description:
          "StopWriters stops all pods before the migration. Default: where MLflow requires it. Example: Rolling.",
      })
      .optional(),
    approval: z
      .enum(["Automatic", "Manual"])
      .meta({
        description: "Manual waits for the annotation approve-upgrade. Default: Automatic. Example: Manual.",
      })
      .optional(),
    maintenanceWindow: maintenanceWindow.optional(),
    backup: z
      .strictObject({
        scheduleRef: z
          .strictObject({ name: objectName("Name.") })
          .meta({ description: "MlflowBackupSchedule whose destination is used. Example: {name: nightly}." }),
      })
      .meta({
        description:
          "Backup before the migration of another version; if it fails, the change waits. Default: none. Example: {scheduleRef: {name: nightly}}.",
      })
      .optional(),
  })
  .meta({ description: "Changes of the version or the image. Example: {approval: Manual}." });

export type MaintenanceWindow = z.infer<typeof maintenanceWindow>;
