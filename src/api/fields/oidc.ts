import { z } from "zod";
import { defaults } from "../defaults.ts";
import { claim } from "./claim.ts";
import { duration, within } from "./duration.ts";
import { postgresql } from "./postgresql.ts";
import { certificateAuthority, secretKey } from "./reference.ts";
import { mayBeEmpty, rules } from "./rule.ts";
import { text } from "./text.ts";
import { hostWithPort } from "./url-host.ts";

function groupName(description: string) {
  return text(description, 255, {
    rule: "!self.contains(',') && self.matches('^[^ ]') && self.matches('[^ ]$')",
    message: "must be the name of one group, without a comma, and without spaces at its ends",
  });
}

/** People who log in at an OpenID Connect issuer, and programs with its tokens. */
export const oidc = z
  .strictObject({
    discoveryURL: text(
      "Where the issuer describes itself. Example: https://keycloak.example.com/realms/ml/.well-known/openid-configuration.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}(/[^@?#]*)?/[.]well-known/openid-configuration$')`,
        message:
          "must be the issuer's URL with /.well-known/openid-configuration behind, such as https://keycloak.example.com/realms/ml/.well-known/openid-configuration",
      },
    ),
    issuer: text(
      "The issuer as it stands in tokens (iss), to the letter. Default: discoveryURL without /.well-known/openid-configuration.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}(/[^@?#]*)?$')`,
        message: "must be the URL that stands in tokens as iss, such as https://keycloak.example.com/realms/ml",
      },
    ).optional(),
    clientID: text("The id under which the issuer knows this server. Example: mlflow.", 255, {
      rule: "!self.contains(',')",
      message: "must be one client id, without a comma",
    }),
    clientSecretRef: secretKey(
      "The client's secret. A change rolls the pods. Example: {name: mlflow-client, key: client-secret}.",
    ),
    redirectURL: text(
      "Where browsers come back to after the login; the issuer must know it. Default: /callback below exposure.externalURL, or without that below the Service's URL. Example: https://mlflow.example.com/callback.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}/callback$')`,
        message:
          "must be the URL of the server as browsers see it with /callback behind, such as https://mlflow.example.com/callback",
      },
    ).optional(),
    scopes: z
      .array(
        text("A scope.", 128, {
          rule: "self.matches('^[!#-+\\\\--\\\\[\\\\]-~]+$')",
          message: "must be one scope, without spaces and commas",
        }),
      )
      .min(1)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "What is asked of the issuer. Default: [openid, email, profile]; with Dex also groups, which Keycloak would refuse.",
        ...rules({ rule: "'openid' in self", message: "must hold openid: without it there is no identity token" }),
      })
      .optional(),
    audience: text("For whom tokens must be that programs present (aud). Default: clientID.", 255).optional(),
    usernameClaim: claim(
      "The claim that names a user. People must not be able to change it at the issuer, or they could become somebody else; so not email, where that is so. Names must be in lower case and in one script, except those of sub. Default: preferred_username. Example: sub.",
    ).optional(),
    groupsClaim: claim(
      "The claim with the groups. Where a token has no claim of the literal name, dots lead into nested objects. Default: groups. Example: realm_access.roles.",
    ).optional(),
    userGroup: groupName("Who is in this group may log in. Who is in neither is shut out."),
    adminGroup: groupName(
      "Who is in this group and logs in by the browser is an administrator. A token alone makes none.",
    ),
    ca: certificateAuthority("Certificate authority of the issuer, besides the public ones.").optional(),
    accessTokens: z
      .strictObject({
        maxAge: duration(
          `How old an access token may be, and how long ago its user must have shown at most that they are in userGroup or adminGroup, by a login in the browser or a token of the issuer. From 1h to 2160h. Default: ${defaults.accessTokenMaxAge}. Example: 720h.`,
          within("1h", "2160h", "must be from 1h to 2160h (90 days): a user who has left keeps access for that long"),
        ).optional(),
      })
      .meta({
        description:
          "Allows the plugin's access tokens, as passwords of HTTP basic authentication. A user who has left the group, or the issuer, keeps access by one for up to maxAge. Default: none are accepted, and none can be made. Example: accessTokens: {}.",
        ...mayBeEmpty,
      })
      .optional(),
    defaultPermission: z
      .enum(["READ", "EDIT", "MANAGE", "NO_PERMISSIONS"])
      .meta({
        description:
          "What a user may do with experiments and models where nothing else is granted. Default: NO_PERMISSIONS.",
      })
      .optional(),
    database: z
      .strictObject({ postgresql: postgresql("A PostgreSQL database.") })
      .meta({
        description:
          "The database of users, permissions and sessions. Default: the backend store's, unless other users have been kept there.",
      })
      .optional(),
  })
  .meta({
    description:
      "People who log in at an OpenID Connect issuer, in the browser, and programs with its tokens (Authorization: Bearer), by the plugin mlflow-oidc-auth.",
  });

export type Oidc = z.infer<typeof oidc>;
