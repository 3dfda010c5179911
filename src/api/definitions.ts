import { backupDefinition } from "./backup-definition.ts";
import { backupScheduleDefinition } from "./backup-schedule-definition.ts";
import type { CustomResourceDefinition } from "./custom-resource-definition.ts";
import { serverDefinition } from "./server-definition.ts";
import { workspaceAccessDefinition } from "./workspace-access-definition.ts";

/** All CustomResourceDefinitions of the project. */
export function definitions(): readonly CustomResourceDefinition[] {
  return [serverDefinition(), workspaceAccessDefinition(), backupDefinition(), backupScheduleDefinition()];
}
