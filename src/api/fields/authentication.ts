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

/** Who may come in. */
export const authentication = z
  .strictObject({
    basic: basic.optional(),
    ldap: ldap.optional(),
    oidc: oidc.optional(),
    disabled: z
      .strictObject({})
      .meta({
        description:
          "Nobody is asked who they are: whoever reaches the Service may read, change and delete everything. Example: disabled: {}.",
      })
      .optional(),
  })
  .meta({
    description: "Who may come in. Exactly one of basic, ldap, oidc and disabled.",
    ...demanded(
      "write basic: {} for users with passwords, ldap for those of a directory, or oidc for those of an issuer; an open server must be asked for by disabled: {}",
    ),
    ...rules(
      exactlyOneOf(
        ["basic", "ldap", "oidc", "disabled"],
        "write basic: {} for users with passwords, ldap for those of a directory, or oidc for those of an issuer; an open server must be asked for by disabled: {}",
      ),
    ),
  });

export type Authentication = z.infer<typeof authentication>;
