import { z } from "zod";
import { clusterRoleName, workspaceRoleNames } from "../../kube/workspace-roles.ts";
import { demanded } from "./rule.ts";

/** What somebody may do in a workspace. */
export const workspaceRole = z.enum(workspaceRoleNames).meta({
  description: `What the subjects may do in the workspace. Viewer: read. Editor: also create and change, run by run. Admin: also delete, and manage the gateway. TraceWriter: write traces, read nothing. They are the ClusterRoles ${workspaceRoleNames.map(clusterRoleName).join(", ")}.`,
  ...demanded(`write role: ${workspaceRoleNames.join(", ")}`),
});
