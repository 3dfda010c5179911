import type { MlflowBackup } from "./backup.ts";
import type { MlflowBackupSchedule } from "./backup-schedule.ts";
import type { MlflowServer } from "./server.ts";
import type { MlflowWorkspaceAccess } from "./workspace-access.ts";

/** An object of a kind of this operator. */
export type CustomResource = MlflowServer | MlflowWorkspaceAccess | MlflowBackup | MlflowBackupSchedule;
