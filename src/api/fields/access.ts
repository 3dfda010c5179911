import { z } from "zod";
import { type Rule, requiredRemedy, rules } from "./rule.ts";
import { text } from "./text.ts";

/** Names with * as the only wildcard. `excluded` are characters of a regular expression's class that such names cannot contain. */
function patterns(what: string, example: string, excluded = "") {
  const others =
    excluded === "" ? "" : `, and without ${[...excluded].join(" and ")}, which these names cannot contain`;
  return z
    .array(
      z
        .string()
        .min(1)
        .max(255)
        .meta({
          description: `Name; * stands for any text. Example: ${example}.`,
          ...rules({
            rule: String.raw`!self.matches('[?\\[\\]^$\\\\\\p{Cc}\u2028\u2029${excluded}]|[*][*]|^ | $')`,
            message: `must be a name such as ${example}, in one line, without other wildcards than * (no **, ?, [)${others}`,
          }),
        }),
    )
    .min(1)
    .max(32)
    .meta({
      "x-kubernetes-list-type": "set",
      description: `Names of ${what}. Default: none. Example: [${example}].`,
    });
}

const subject = z
  .strictObject({
    kind: z.enum(["User", "Group"]).meta({
      description: "User: by the name in MLflow. Group: of the directory or issuer. Example: Group.",
      ...requiredRemedy("write kind: User or Group"),
    }),
    name: text("Name. Example: team-a.", 1024).meta({ ...requiredRemedy("write the name of the user or group") }),
  })
  .meta({ description: "Subject." });

/** A permission of users and groups on experiments and models. */
const grant = z.strictObject({
  permission: z.enum(["READ", "EDIT", "MANAGE"]).meta({
    description: "READ; EDIT: also write; MANAGE: also delete and grant. Example: EDIT.",
    ...requiredRemedy("write permission: READ, EDIT or MANAGE"),
  }),
  subjects: z
    .array(subject)
    .min(1)
    .max(64)
    .meta({
      "x-kubernetes-list-type": "atomic",
      description: "Who gets it; need not exist yet. Example: [{kind: User, name: grace}].",
      ...requiredRemedy("write the subjects of the grant, such as subjects: [{kind: User, name: grace}]"),
    }),
  experiments: patterns("experiments", "team-a/*").optional(),
  registeredModels: patterns("registered models and prompts", "team-a-*", "/:").optional(),
});

/** All grants of a server. */
export const access = z
  .array(
    grant.meta({
      description: "Grant.",
      ...rules({
        rule: "has(self.experiments) || has(self.registeredModels)",
        message: "grants nothing: add experiments: ['team-a/*'] or registeredModels: ['team-a-*']",
      }),
    }),
  )
  .max(32)
  .meta({
    "x-kubernetes-list-type": "atomic",
    description:
      "Grants on experiments and models by name, in addition to those in MLflow; for basic, ldap and oidc. Default: none. Example: [{permission: EDIT, subjects: [{kind: User, name: grace}], experiments: ['team-a/*']}].",
  });

/** Rules of the spec. */
export const accessRules: readonly Rule[] = [
  {
    rule: "!has(self.access) || has(self.authentication.basic) || has(self.authentication.ldap) || has(self.authentication.oidc)",
    message:
      "MLflow has permissions only with basic, ldap and oidc: leave out access. With Kubernetes, use RoleBindings or workspaces.access",
    fieldPath: ".access",
  },
  {
    rule: "!has(self.access) || !has(self.authentication.basic) || self.access.all(a, !has(a.subjects) || a.subjects.all(s, !has(s.kind) || s.kind == 'User'))",
    message: "users of basic authentication have no groups: list them as kind: User",
    fieldPath: ".access",
  },
  {
    rule: "!has(self.access) || !has(self.authentication.ldap) || (has(self.authentication.ldap.groups.attribute) && !self.authentication.ldap.groups.attribute.matches('^[dD][nN]$')) || self.access.all(a, !has(a.subjects) || a.subjects.all(s, !has(s.kind) || s.kind == 'User' || !has(s.name) || s.name.contains('=')))",
    message:
      "groups of the directory are compared by DN: write cn=team-a,ou=groups,dc=example,dc=com, or set ldap.groups.attribute: cn",
    fieldPath: ".access",
  },
];

export type AccessGrant = z.infer<typeof access>[number];
