import { z } from "zod";
import { ldap } from "./ldap.ts";
import { oidc } from "./oidc.ts";
import { demanded, exactlyOneOf, mayBeEmpty, rules } from "./rule.ts";
import { dataKey, objectName } from "./text.ts";
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
    ...userStore,
  })
  .meta({
    description: "MLflow's own users and permissions, by HTTP basic authentication. Example: basic: {}.",
    ...mayBeEmpty,
  });

const kubernetes = z
  .strictObject({
    authorization: z
      .enum(["CallerToken"])
      .meta({
        description:
          "CallerToken (default): the token that the caller presents is shown to the API server, which says what its owner may do in the server's namespace.",
      })
      .optional(),
  })
  .meta({
    description:
      "Kubernetes decides by RBAC: the rights are those on mlflow.kubeflow.org in the server's namespace, the credential is a token that the API server accepts. MLflow sees these tokens. Example: kubernetes: {}.",
    ...mayBeEmpty,
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

export type Authentication = z.infer<typeof authentication>;
