import { z } from "zod";
import { defaults } from "../defaults.ts";
import { cacheDuration } from "./amounts.ts";
import { ldap } from "./ldap.ts";
import { oauth2Proxy } from "./oauth2-proxy.ts";
import { oidc } from "./oidc.ts";
import { credentialsSecret } from "./reference.ts";
import { exactlyOneOf, mayBeEmpty, requiredRemedy, rules } from "./rule.ts";
import { userStore } from "./user-store.ts";

const basic = z
  .strictObject({
    adminCredentialsSecretRef: credentialsSecret(
      "User name and password of the first administrator, which MLflow creates when the user database has none of that name. " +
        "Default: generated once, in the Secret that status.adminCredentialsSecretRef names. " +
        "The password must have at least 12 characters; a Job sets a changed one in MLflow. Example: {name: mlflow-admin}.",
    ).optional(),
    passwordCacheTTL: cacheDuration(
      `How long MLflow caches a successful password check, in the memory of each process: each check costs tens of milliseconds of CPU. A changed password and a deleted user take effect immediately in the process that handles the change, and in all others after this time. 0s turns the cache off. At most 10m. Default: ${defaults.passwordCacheTTL}. Example: 30s.`,
      "10m",
    ).optional(),
    ...userStore,
  })
  .meta({
    description: "Users and permissions of MLflow, with HTTP basic authentication. Example: basic: {}.",
    ...mayBeEmpty,
  });

const kubernetes = z.strictObject({}).meta({
  description:
    "Bearer tokens of the API server. Kubernetes RBAC decides: MLflow sends a SelfSubjectAccessReview with the caller's token, for the resources of mlflow.kubeflow.org in the server's namespace, or in that of the workspace. Example: kubernetes: {}.",
  ...mayBeEmpty,
});

const methods = ["basic", "ldap", "oidc", "kubernetes", "oauth2Proxy", "none"];
const remedy =
  "write basic: {} for users with passwords, ldap for users of a directory, oidc for users of an OpenID Connect issuer, kubernetes: {} for bearer tokens of Kubernetes, or oauth2Proxy for sign-in in front of MLflow; for a server without authentication write none: {}";

/** How users and programs authenticate. */
export const authentication = z
  .strictObject({
    basic: basic.optional(),
    ldap: ldap.optional(),
    oidc: oidc.optional(),
    kubernetes: kubernetes.optional(),
    oauth2Proxy: oauth2Proxy.optional(),
    none: z
      .strictObject({})
      .meta({
        description:
          "No authentication: every client that can reach the Service can read, change and delete everything. Example: none: {}.",
        ...mayBeEmpty,
      })
      .optional(),
  })
  .meta({
    description: `The authentication method. Exactly one of ${methods.join(", ")}. Example: basic: {}.`,
    ...requiredRemedy(remedy),
    ...rules(exactlyOneOf(methods, remedy)),
  });

export type Authentication = z.infer<typeof authentication>;
