import type { MlflowBackup } from "./backup.ts";
import { backupDefinition } from "./backup-definition.ts";
import type { MlflowBackupSchedule } from "./backup-schedule.ts";
import { backupScheduleDefinition } from "./backup-schedule-definition.ts";
import type { CustomResourceDefinition } from "./custom-resource-definition.ts";
import type { MlflowServer } from "./server.ts";
import { serverDefinition } from "./server-definition.ts";
import type { MlflowWorkspaceAccess } from "./workspace-access.ts";
import { workspaceAccessDefinition } from "./workspace-access-definition.ts";

/** An object of a kind of this operator. */
export type CustomResource = MlflowServer | MlflowWorkspaceAccess | MlflowBackup | MlflowBackupSchedule;

/** All CustomResourceDefinitions of the project. */
export function definitions(): readonly CustomResourceDefinition[] {
  return [serverDefinition(), workspaceAccessDefinition(), backupDefinition(), backupScheduleDefinition()];
}
