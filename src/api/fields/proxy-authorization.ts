import { z } from "zod";
import { reservedNames } from "../defaults.ts";
import { claim } from "./claim.ts";
import { demanded, exactlyOneOf, mayBeEmpty, rules } from "./rule.ts";
import { text } from "./text.ts";

/** A prefix of names of an issuer, which then cannot be taken for names of the cluster. */
function namePrefix(description: string) {
  return text(description, 128, {
    rule: "!self.matches('^[sS][yY][sS][tT][eE][mM]:|[*]|[[:space:]]')",
    message:
      "must be a prefix without spaces and *, such as 'oidc:', that does not begin with system:, which is Kubernetes' own",
  });
}

const kubernetes = z
  .strictObject({
    accessReview: z
      .enum(["SelfSubjectAccessReview", "SubjectAccessReview"])
      .meta({
        description:
          "How MLflow asks the API server. SelfSubjectAccessReview (default): with the caller's token, which the API server must accept. SubjectAccessReview: for the user and the groups in the ID token that oauth2-proxy has verified, for clusters whose API server does not know the issuer; it needs the opt-in of a namespace (label mlflow-operator.dev/workspace-of), since the server can then ask what any user may do. Example: SubjectAccessReview.",
      })
      .optional(),
    usernameClaim: claim(
      "With SubjectAccessReview: the claim of the token that names the user, as RoleBindings name them. Users must not be able to change it; email counts only with email_verified: true. Default: sub. Example: email.",
    ).optional(),
    groupsClaim: claim(
      "With SubjectAccessReview: the claim with the groups. Where a token has no claim of the literal name, dots lead into nested objects. Default: groups. Example: realm_access.roles.",
    ).optional(),
    usernamePrefix: namePrefix(
      "With SubjectAccessReview: the prefix of each user name of an issuer, as the API server's --oidc-username-prefix; RoleBindings name users with it. ServiceAccounts have none. Default: none. Example: 'oidc:'.",
    ).optional(),
    groupsPrefix: namePrefix(
      "With SubjectAccessReview: the prefix of each group of an issuer's token; RoleBindings name groups with it. Default: none. Example: 'oidc:'.",
    ).optional(),
    reservedNames: z
      .array(
        text("A name, or with * at its end the beginning of names. Example: kubeadm:*.", 253, {
          rule: "self.matches('^[^*]+[*]?$')",
          message: "must be a name, or the beginning of names with one * at the end, such as kubeadm:*",
        }),
      )
      .max(64)
      .meta({
        description: `With SubjectAccessReview: names of users and groups that an issuer cannot give, with the prefix where there is one: a token with one of them is rejected. Case makes no difference. Names that begin with system: are always reserved. Default: ${reservedNames.join(", ")}.`,
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
  "write allAuthenticatedUsers: {} where every user that oauth2-proxy accepts may do everything, or kubernetes: {} where Kubernetes RBAC decides";

/** What users may do whom oauth2-proxy has authenticated. */
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
      "What authenticated users may do. Exactly one of allAuthenticatedUsers and kubernetes. Example: {allAuthenticatedUsers: {}}.",
    ...demanded(remedy),
    ...rules(exactlyOneOf(["allAuthenticatedUsers", "kubernetes"], remedy)),
  });
