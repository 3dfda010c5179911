import { backupScheduleSchema } from "./backup-schedule.ts";
import { type CustomResourceDefinition, definitionOf, type PrinterColumn } from "./custom-resource-definition.ts";

const columns: readonly PrinterColumn[] = [
  { name: "Server", type: "string", jsonPath: ".spec.serverRef.name", description: "The MlflowServer." },
  { name: "Schedule", type: "string", jsonPath: ".spec.schedule", description: "The cron schedule." },
  {
    name: "Ready",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: "Whether backups are created and succeed.",
  },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "The reason of the condition Ready.",
  },
  {
    name: "Last-Success",
    type: "date",
    jsonPath: ".status.lastSuccessfulTime",
    description: "Time since the last complete backup.",
  },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." },
  { name: "Next", type: "string", jsonPath: ".status.nextScheduledTime", description: "The next time.", priority: 1 },
  {
    name: "Last-Backup",
    type: "string",
    jsonPath: ".status.lastBackup",
    description: "The last MlflowBackup.",
    priority: 1,
  },
];

/** The CustomResourceDefinition of MlflowBackupSchedule. */
export function backupScheduleDefinition(): CustomResourceDefinition {
  return definitionOf({
    kind: "MlflowBackupSchedule",
    plural: "mlflowbackupschedules",
    shortName: "mlfbs",
    columns,
    schema: backupScheduleSchema(),
  });
}
