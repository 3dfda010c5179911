import { z } from "zod";
import { exactlyOneOf, mayBeEmpty, rules } from "./rule.ts";
import { subjects } from "./subjects.ts";
import { labelMap, text } from "./text.ts";
import { workspaceRole } from "./workspace-role.ts";

const namespaceName = text("Name of a namespace.", 63, {
  rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
  message: "must be the name of a namespace: lower case letters, digits and -, with a letter or digit at both ends",
});

const where = ["namespaces", "selector"];

/** A grant of a server: a role to subjects, in workspaces of it. */
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
          "Namespaces in which the role is granted. One that is no workspace of this server waits, and a condition names it.",
      })
      .optional(),
    selector: z
      .strictObject({
        matchLabels: labelMap("Labels that a namespace must have. Example: team: research.").optional(),
      })
      .meta({
        description:
          "The role is granted in those workspaces of this server that have these labels. selector: {} is all of them.",
        ...mayBeEmpty,
      })
      .optional(),
  })
  .meta({
    description: "A role for subjects in workspaces of this server.",
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
    "Who may do what in the workspaces of this server: one RoleBinding per namespace and role. People of a team can grant more by a MlflowWorkspaceAccess in their own namespace.",
});

/** Whether clients are told how to reach the server. */
export const clientConfigMaps = z.boolean().meta({
  description:
    "true: each workspace gets a ConfigMap mlflow-client, so that a pod there needs envFrom and a token and nothing else. Default: true.",
});

export type WorkspaceGrant = z.infer<typeof workspaceGrant>;
