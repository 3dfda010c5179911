import { z } from "zod";
import { requiredRemedy, rules } from "./rule.ts";
import { plainText, text } from "./text.ts";

/** Groups of all users or all workloads, and the anonymous user. */
const tooBroad = ["system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:anonymous"];

const subject = z
  .strictObject({
    kind: z.enum(["User", "Group", "ServiceAccount"]).meta({
      description:
        "User and Group: with the names of the API server's authentication. ServiceAccount: a workload. Example: Group.",
      ...requiredRemedy("write kind: User, Group or ServiceAccount"),
    }),
    name: text("Name of the user, the group or the ServiceAccount. Example: data-science.", 253).meta({
      ...requiredRemedy("write the name of the user, the group or the ServiceAccount"),
    }),
    namespace: plainText("Namespace of the ServiceAccount; only for this kind. Example: training.", 63, {
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be the name of a namespace: lower case letters, digits and -, with a letter or digit at both ends",
    }).optional(),
  })
  .meta({
    description: "A user, group or ServiceAccount. Example: {kind: Group, name: data-science}.",
    ...rules(
      {
        rule: "!has(self.kind) || self.kind != 'ServiceAccount' || has(self.__namespace__)",
        message: "a ServiceAccount has a namespace: add namespace",
        fieldPath: ".namespace",
        reason: "FieldValueRequired",
      },
      {
        rule: "!has(self.kind) || self.kind == 'ServiceAccount' || !has(self.__namespace__)",
        message: "users and groups have no namespace: leave out namespace, or write kind: ServiceAccount",
        fieldPath: ".namespace",
      },
      {
        rule: `!has(self.kind) || self.kind == 'ServiceAccount' || !has(self.name) || !(self.name in ${JSON.stringify(tooBroad)})`,
        message:
          "this includes all users or all workloads of the cluster: write a narrower group, or system:serviceaccounts:<namespace> for all of one namespace",
        fieldPath: ".name",
      },
      {
        rule: "!has(self.kind) || self.kind != 'User' || !has(self.name) || !self.name.startsWith('system:serviceaccount:')",
        message: "this is a ServiceAccount: write kind: ServiceAccount, with its name and namespace",
        fieldPath: ".name",
      },
    ),
  });

/** The subjects of a role. */
export const subjects = z
  .array(subject)
  .min(1)
  .max(64)
  .meta({
    "x-kubernetes-list-type": "atomic",
    description: "Users, groups and ServiceAccounts that get the role. Example: [{kind: Group, name: data-science}].",
    ...requiredRemedy("write the subjects of the role, such as subjects: [{kind: Group, name: data-science}]"),
  });

export type Subject = z.infer<typeof subject>;
