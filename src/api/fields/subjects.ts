import { z } from "zod";
import { demanded, rules } from "./rule.ts";
import { text } from "./text.ts";

/** Groups that are everybody, or every workload; and the user that is nobody in particular. */
const everybody = ["system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:anonymous"];

const subject = z
  .strictObject({
    kind: z.enum(["User", "Group", "ServiceAccount"]).meta({
      description: "User and Group: as the API server's authentication names them. ServiceAccount: a workload.",
      ...demanded("write kind: User, Group or ServiceAccount"),
    }),
    name: text("Name of the user, the group or the ServiceAccount. Example: data-science.", 253).meta({
      ...demanded("write the name of the user, the group or the ServiceAccount"),
    }),
    namespace: text("Namespace of the ServiceAccount; of no other kind. Example: training.", 63, {
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be the name of a namespace: lower case letters, digits and -, with a letter or digit at both ends",
    }).optional(),
  })
  .meta({
    description: "Somebody who gets the role.",
    ...rules(
      {
        rule: "!has(self.kind) || self.kind != 'ServiceAccount' || has(self.__namespace__)",
        message: "a ServiceAccount is one of a namespace: add namespace",
        fieldPath: ".namespace",
        reason: "FieldValueRequired",
      },
      {
        rule: "!has(self.kind) || self.kind == 'ServiceAccount' || !has(self.__namespace__)",
        message: "users and groups are in no namespace: leave namespace out, or write kind: ServiceAccount",
        fieldPath: ".namespace",
      },
      {
        rule: `!has(self.kind) || self.kind == 'ServiceAccount' || !has(self.name) || !(self.name in ${JSON.stringify(everybody)})`,
        message:
          "this is everybody, or every workload of the cluster: name a group of your own, or system:serviceaccounts:<namespace> for all of one namespace",
        fieldPath: ".name",
      },
      {
        rule: "!has(self.kind) || self.kind != 'User' || !has(self.name) || !self.name.startsWith('system:serviceaccount:')",
        message: "this is a ServiceAccount: write kind: ServiceAccount, with its name and namespace",
        fieldPath: ".name",
      },
    ),
  });

/** Who gets a role. */
export const subjects = z
  .array(subject)
  .min(1)
  .max(64)
  .meta({
    "x-kubernetes-list-type": "atomic",
    description: "Who gets the role.",
    ...demanded("write who gets the role, such as subjects: [{kind: Group, name: data-science}]"),
  });

export type Subject = z.infer<typeof subject>;
