import { z } from "zod";
import { clusterRoleName, workspaceRoleNames } from "../../kube/workspace-roles.ts";
import { requiredRemedy } from "./rule.ts";

/** The permissions of subjects in a workspace. */
export const workspaceRole = z.enum(workspaceRoleNames).meta({
  description: `Role in the workspace. Viewer: read. Editor: also create and update. Admin: also delete, and manage the AI gateway. TraceWriter: only write traces. The roles are the ClusterRoles ${workspaceRoleNames.map(clusterRoleName).join(", ")}. Example: Editor.`,
  ...requiredRemedy(`write role: ${workspaceRoleNames.join(", ")}`),
});
