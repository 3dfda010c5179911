import { z } from "zod";
import { reservedNames } from "../defaults.ts";
import { exactlyOneOf, mayBeEmpty, requiredRemedy, rules } from "./rule.ts";
import { claim, text } from "./text.ts";

/** A prefix of user or group names of an issuer, which separates them from names of the cluster. */
function namePrefix(description: string) {
  return text(description, 128, {
    rule: "!self.matches('^[sS][yY][sS][tT][eE][mM]:|[*]|[[:space:]]')",
    message:
      "must be a prefix without spaces and *, such as 'oidc:', and cannot begin with system:, which is reserved for Kubernetes",
  });
}

const kubernetes = z
  .strictObject({
    accessReview: z
      .enum(["SelfSubjectAccessReview", "SubjectAccessReview"])
      .meta({
        description:
          "The review that MLflow sends to the API server. SelfSubjectAccessReview (default): with the caller's token, which the API server must accept. SubjectAccessReview: for the user and the groups in the ID token that oauth2-proxy has verified, for clusters whose API server does not trust the issuer; it requires the opt-in of a namespace (label mlflow-operator.dev/workspace-of), since the server can then review the permissions of any user. Example: SubjectAccessReview.",
      })
      .optional(),
    usernameClaim: claim(
      "With SubjectAccessReview: the claim with the user name for RoleBindings. Users must not be able to change it; email is accepted only with email_verified: true. Default: sub. Example: email.",
    ).optional(),
    groupsClaim: claim(
      "With SubjectAccessReview: the claim with the groups. If a token has no claim with this exact name, dots separate the fields of nested objects. Default: groups. Example: realm_access.roles.",
    ).optional(),
    usernamePrefix: namePrefix(
      "With SubjectAccessReview: the prefix of user names of issuers, like the API server's --oidc-username-prefix; RoleBindings must include it. ServiceAccounts have none. Default: none. Example: 'oidc:'.",
    ).optional(),
    groupsPrefix: namePrefix(
      "With SubjectAccessReview: the prefix of groups of issuers; RoleBindings must include it. Default: none. Example: 'oidc:'.",
    ).optional(),
    reservedNames: z
      .array(
        text("A name, or a prefix of names followed by *. Example: kubeadm:*.", 253, {
          rule: "self.matches('^[^*]+[*]?$')",
          message: "must be a name, or a prefix of names followed by one *, such as kubeadm:*",
        }),
      )
      .max(64)
      .meta({
        description: `With SubjectAccessReview: names of users and groups, including the prefix, with which a token is rejected. The comparison ignores case. Names that begin with system: are always reserved. Default: ${reservedNames.join(", ")}.`,
        "x-kubernetes-list-type": "set",
      })
      .optional(),
  })
  .meta({
    description:
      "Kubernetes RBAC decides, by the permissions on mlflow.kubeflow.org in the server's namespace, or in that of the workspace. Example: kubernetes: {accessReview: SelfSubjectAccessReview}.",
    ...mayBeEmpty,
    ...rules({
      rule: "!(has(self.usernameClaim) || has(self.groupsClaim) || has(self.usernamePrefix) || has(self.groupsPrefix) || has(self.reservedNames)) || has(self.accessReview) && self.accessReview == 'SubjectAccessReview'",
      message:
        "usernameClaim, groupsClaim, usernamePrefix, groupsPrefix and reservedNames are for accessReview: SubjectAccessReview; with SelfSubjectAccessReview the API server reads the token: leave them out",
    }),
  });

const remedy =
  "write allAuthenticatedUsers: {} to allow everything to every user that oauth2-proxy accepts, or kubernetes: {} for Kubernetes RBAC";

/** Authorization of users whom oauth2-proxy has authenticated. */
export const proxyAuthorization = z
  .strictObject({
    allAuthenticatedUsers: z
      .strictObject({})
      .meta({
        description:
          "Every user and program that oauth2-proxy accepts can read, change and delete everything. Example: allAuthenticatedUsers: {}.",
        ...mayBeEmpty,
      })
      .optional(),
    kubernetes: kubernetes.optional(),
  })
  .meta({
    description:
      "Authorization of authenticated users. Exactly one of allAuthenticatedUsers and kubernetes. Example: {allAuthenticatedUsers: {}}.",
    ...requiredRemedy(remedy),
    ...rules(exactlyOneOf(["allAuthenticatedUsers", "kubernetes"], remedy)),
  });
