import { z } from "zod";
import { defaults, reservedNames } from "../defaults.ts";
import { claim } from "./claim.ts";
import { cacheDuration } from "./duration.ts";
import { ldap } from "./ldap.ts";
import { oidc } from "./oidc.ts";
import { demanded, exactlyOneOf, mayBeEmpty, rules } from "./rule.ts";
import { dataKey, objectName, text } from "./text.ts";
import { userStore } from "./user-store.ts";

const basic = z
  .strictObject({
    admin: z
      .strictObject({
        secretName: objectName("Name of a Secret with the user name and the password."),
        usernameKey: dataKey("Key of the user name. Default: username.").optional(),
        passwordKey: dataKey("Key of the password. Default: password.").optional(),
      })
      .meta({
        description:
          "The first administrator, created when the user database has none of that name. " +
          "Default: generated once, in the Secret that status.adminSecret names. " +
          "MLflow takes 12 characters or more; a later change of the Secret does not change the password (use MLflow's users/update-password).",
      })
      .optional(),
    passwordCacheTTL: cacheDuration(
      `How long MLflow caches a successful password check, in the memory of each process: each check costs tens of milliseconds of CPU. A changed password and a deleted user take effect at once in the process that handles the change, and in all others after this time. 0s turns the cache off. At most 10m. Default: ${defaults.passwordCacheTTL}. Example: 30s.`,
      "10m",
    ).optional(),
    ...userStore,
  })
  .meta({
    description: "MLflow's own users and permissions, by HTTP basic authentication. Example: basic: {}.",
    ...mayBeEmpty,
  });

/** What is put before names of an issuer, which then cannot be taken for names of the cluster. */
function namePrefix(description: string) {
  return text(description, 128, {
    rule: "!self.matches('^[sS][yY][sS][tT][eE][mM]:|[*]|[[:space:]]')",
    message:
      "must be a prefix without spaces and *, such as 'oidc:', that does not begin with system:, which is Kubernetes' own",
  });
}

const kubernetes = z
  .strictObject({
    authorization: z
      .enum(["CallerToken", "ProxyIdentity"])
      .meta({
        description:
          "CallerToken (default): the token that the caller presents is shown to the API server, which says what its owner may do. ProxyIdentity: the API server is asked what the user and the groups may do that a token names which the proxy has let in, for clusters whose API server does not know the issuer; it needs proxy, and the consent of a namespace (label mlflow-operator.dev/workspace-of), since the server can then ask what anybody may do.",
      })
      .optional(),
    usernameClaim: claim(
      "With ProxyIdentity: the claim of the token that names the user, as RoleBindings name them. People must not be able to change it; email counts only with email_verified: true. Default: sub. Example: email.",
    ).optional(),
    groupsClaim: claim(
      "With ProxyIdentity: the claim with the groups. Where a token has no claim of the literal name, dots lead into nested objects. Default: groups. Example: realm_access.roles.",
    ).optional(),
    usernamePrefix: namePrefix(
      "With ProxyIdentity: what is put before the name of each user of an issuer, as the API server's --oidc-username-prefix does; RoleBindings name users with it. ServiceAccounts have none. Default: none. Example: 'oidc:'.",
    ).optional(),
    groupsPrefix: namePrefix(
      "With ProxyIdentity: what is put before each group of an issuer's token; RoleBindings name groups with it. Default: none. Example: 'oidc:'.",
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
        description: `With ProxyIdentity: names of users and groups that an issuer cannot give, with the prefix where there is one: a token with one of them is rejected. Case makes no difference. Names that begin with system: are always reserved. Default: ${reservedNames.join(", ")}.`,
      })
      .optional(),
  })
  .meta({
    description:
      "Kubernetes decides by RBAC: the rights are those on mlflow.kubeflow.org in the server's namespace, or in that of the workspace. With CallerToken the credential is a token that the API server accepts, and MLflow sees it. Example: kubernetes: {}.",
    ...mayBeEmpty,
    ...rules({
      rule: "!(has(self.usernameClaim) || has(self.groupsClaim) || has(self.usernamePrefix) || has(self.groupsPrefix) || has(self.reservedNames)) || has(self.authorization) && self.authorization == 'ProxyIdentity'",
      message:
        "usernameClaim, groupsClaim, usernamePrefix, groupsPrefix and reservedNames are for authorization: ProxyIdentity; with CallerToken the API server reads the token: leave them out",
    }),
  });

const choices = ["basic", "ldap", "oidc", "kubernetes", "disabled"];
const remedy =
  "write basic: {} for users with passwords, ldap for those of a directory, oidc for those of an issuer, or kubernetes: {} for tokens of Kubernetes; an open server must be asked for by disabled: {}";

/** Who may come in. */
export const authentication = z
  .strictObject({
    basic: basic.optional(),
    ldap: ldap.optional(),
    oidc: oidc.optional(),
    kubernetes: kubernetes.optional(),
    disabled: z
      .strictObject({})
      .meta({
        description:
          "MLflow asks nobody who they are: whoever gets past the proxy, or without one whoever reaches the Service, may read, change and delete everything. Example: disabled: {}.",
      })
      .optional(),
  })
  .meta({
    description: `Who may come in. Exactly one of ${choices.join(", ")}.`,
    ...demanded(remedy),
    ...rules(exactlyOneOf(choices, remedy)),
  });

export type Kubernetes = z.infer<typeof kubernetes>;

export type Authentication = z.infer<typeof authentication>;
