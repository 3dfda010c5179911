import { z } from "zod";
import { clusterRoleName, workspaceRoleNames } from "../../kube/workspace-roles.ts";
import { exactlyOneOf, mayBeEmpty, requiredRemedy, rules } from "./rule.ts";
import { subjects } from "./subjects.ts";
import { labelMap, plainText } from "./text.ts";

/** The permissions of subjects in a workspace. */
export const workspaceRole = z.enum(workspaceRoleNames).meta({
  description: `Role in the workspace. Viewer: read. Editor: also create and update. Admin: also delete, and manage the AI gateway. TraceWriter: only write traces. The roles are the ClusterRoles ${workspaceRoleNames.map(clusterRoleName).join(", ")}. Example: Editor.`,
  ...requiredRemedy(`write role: ${workspaceRoleNames.join(", ")}`),
});

const namespaceName = plainText("Name of a namespace.", 63, {
  rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
  message: "must be the name of a namespace: lower case letters, digits and -, with a letter or digit at both ends",
});

const where = ["namespaces", "selector"];

/** A grant of a server: a role for subjects in its workspaces. */
export const workspaceGrant = z
  .strictObject({
    role: workspaceRole,
    subjects,
    namespaces: z
      .array(namespaceName)
      .min(1)
      .max(256)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Namespaces in which the role is granted. A condition names those that are not workspaces of this server yet. Example: [team-a].",
      })
      .optional(),
    selector: z
      .strictObject({
        matchLabels: labelMap("Labels that a namespace must have. Example: {team: research}.").optional(),
      })
      .meta({
        description:
          "Selects the workspaces of this server in which the role is granted; {} selects all. Example: {matchLabels: {team: research}}.",
        ...mayBeEmpty,
      })
      .optional(),
  })
  .meta({
    description: "A grant: a role for subjects in workspaces of this server.",
    ...rules(
      exactlyOneOf(
        where,
        "namespaces: [team-a] for namespaces by name, selector: {} for all workspaces of this server",
      ),
    ),
  });

/** All grants of a server. */
export const workspaceGrants = z.array(workspaceGrant).max(32).meta({
  "x-kubernetes-list-type": "atomic",
  description:
    "Grants in the workspaces of this server: one RoleBinding per namespace and role. Administrators of a namespace can add grants by a MlflowWorkspaceAccess. Default: none. Example: [{role: Editor, subjects: [{kind: Group, name: data-science}], selector: {}}].",
});

/** Whether each workspace gets a ConfigMap with the client settings. */
export const clientConfigMaps = z.boolean().meta({
  description:
    "Whether the operator creates a ConfigMap mlflow-client in each workspace, which pods reference by envFrom. Default: true. Example: false.",
});

export type WorkspaceGrant = z.infer<typeof workspaceGrant>;
