import { z } from "zod";
import { defaults } from "../defaults.ts";
import { duration, within } from "./amounts.ts";
import { hostWithPort } from "./host.ts";
import { postgresql } from "./postgresql.ts";
import { certificateAuthority, secretKey } from "./reference.ts";
import { mayBeEmpty, rules } from "./rule.ts";
import { claim, plainText, text, url } from "./text.ts";

function groupName(description: string) {
  return text(description, 255, {
    rule: "!self.contains(',') && self.matches('^[^ ]') && self.matches('[^ ]$')",
    message: "must be the name of one group, without a comma and without leading or trailing spaces",
  });
}

/** Users who log in at an OpenID Connect issuer, and clients with its tokens. */
export const oidc = z
  .strictObject({
    discoveryURL: url(
      "URL of the issuer's discovery document. Example: https://keycloak.example.com/realms/ml/.well-known/openid-configuration.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}(/[^@?#]*)?/[.]well-known/openid-configuration$')`,
        message:
          "must be the issuer's URL followed by /.well-known/openid-configuration, such as https://keycloak.example.com/realms/ml/.well-known/openid-configuration",
      },
    ),
    issuer: url(
      "The issuer, exactly as in the claim iss of tokens. Default: discoveryURL without /.well-known/openid-configuration. Example: https://keycloak.example.com/realms/ml.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}(/[^@?#]*)?$')`,
        message: "must be the URL in the claim iss of tokens, such as https://keycloak.example.com/realms/ml",
      },
    ).optional(),
    clientID: text("Client ID of this server at the issuer. Example: mlflow.", 255, {
      rule: "!self.contains(',')",
      message: "must be one client ID, without a comma",
    }),
    clientSecretRef: secretKey(
      "The client secret. A change rolls the pods. Example: {name: mlflow-client, key: client-secret}.",
    ),
    redirectURL: url(
      "The redirect URL of the client, which must be registered at the issuer. Default: exposure.externalURL, or else the URL of the Service, followed by /callback. Example: https://mlflow.example.com/callback.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}/callback$')`,
        message:
          "must be the URL of the server for browsers followed by /callback, such as https://mlflow.example.com/callback",
      },
    ).optional(),
    scopes: z
      .array(
        plainText("A scope. Example: groups.", 128, {
          rule: "self.matches('^[!#-+\\\\--\\\\[\\\\]-~]+$')",
          message: "must be one scope, without spaces and commas",
        }),
      )
      .min(1)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Requested scopes. Dex also needs groups, which Keycloak rejects. Default: [openid, email, profile]. Example: [openid, email, profile, groups].",
        ...rules({
          rule: "'openid' in self",
          message: "must contain openid, since the issuer sends no ID token without it: add it",
        }),
      })
      .optional(),
    audience: text(
      "Required audience (aud) of access tokens that clients send. Default: clientID. Example: mlflow.",
      255,
    ).optional(),
    usernameClaim: claim(
      "Claim with the user name. Users must not be able to change it at the issuer, since they could impersonate other users; this often excludes email. Names must be in lower case and in one script, except those of sub. Default: preferred_username. Example: sub.",
    ).optional(),
    groupsClaim: claim(
      "Claim with the groups. If a token has no claim with this exact name, dots separate the fields of nested objects. Default: groups. Example: realm_access.roles.",
    ).optional(),
    userGroup: groupName("Group whose members can log in. Users in neither group are denied. Example: mlflow-users."),
    adminGroup: groupName(
      "Group whose members are administrators after a login in the browser. A token alone does not make a user an administrator. Example: mlflow-admins.",
    ),
    ca: certificateAuthority(
      "CA bundle for the issuer, in addition to the public CAs. Default: none. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
    accessTokens: z
      .strictObject({
        maxAge: duration(
          `Maximum age of an access token, and of the last login or issuer token that proved that its user is in userGroup or adminGroup. From 1h to 2160h. Default: ${defaults.accessTokenMaxAge}. Example: 720h.`,
          within(
            "1h",
            "2160h",
            "must be from 1h to 2160h (90 days): a user who has left the group keeps access for that long",
          ),
        ).optional(),
      })
      .meta({
        description:
          "Allows access tokens of the plugin as passwords of HTTP basic authentication. A user who has left the group or the issuer keeps access for up to maxAge. Default: they are rejected and cannot be created. Example: {}.",
        ...mayBeEmpty,
      })
      .optional(),
    defaultPermission: z
      .enum(["READ", "EDIT", "MANAGE", "NO_PERMISSIONS"])
      .meta({
        description:
          "Permission of users on experiments and models for which they have no other. Default: NO_PERMISSIONS. Example: READ.",
      })
      .optional(),
    database: z
      .strictObject({ postgresql })
      .meta({
        description:
          "The database of users, permissions and sessions. Default: that of the backend store; required if that contains users of another authentication method.",
      })
      .optional(),
  })
  .meta({
    description:
      "Users of an OpenID Connect issuer, by the plugin mlflow-oidc-auth: browsers log in at the issuer, other clients send its access tokens (Authorization: Bearer).",
  });

export type Oidc = z.infer<typeof oidc>;
