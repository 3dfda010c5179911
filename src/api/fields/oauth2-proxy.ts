import { z } from "zod";
import { amounts, requestsWithinLimits } from "./amounts.ts";
import { proxyImage } from "./image.ts";
import { proxyAuthorization } from "./proxy-authorization.ts";
import { proxySession } from "./proxy-session.ts";
import { certificateAuthority, secretKey } from "./reference.ts";
import { demanded, mayBeEmpty, rules } from "./rule.ts";
import { text } from "./text.ts";
import { hostWithPort, portPattern } from "./url-host.ts";

const httpsUrl = String.raw`https://${hostWithPort}(/[^@?#=,\\s]*)?`;

/** An issuer as it stands in tokens. */
function issuer(description: string, field: string) {
  return text(description, 512, {
    rule: `self.matches('^${httpsUrl}$')`,
    message: `${field} is the issuer as tokens name it (iss), such as https://dex.example.com/dex: https, without user, query and fragment. Over plain http its keys could be replaced on the way`,
  });
}

function audience(description: string) {
  return text(description, 253, {
    rule: String.raw`self.matches('^[^=,\\s]+$')`,
    message: "an audience here has no comma, no = and no space",
  });
}

const emailDomain = text("A domain. Example: example.com, .example.com for all below it, or * for any address.", 253, {
  rule: "self.matches('^([*]|[.]?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)$')",
  message:
    "an e-mail domain is example.com, .example.com for all domains below it, or * for any address: no @ and no user",
});

const group = text("A group, exactly as the tokens' claim groups names it.", 253, {
  rule: "!self.contains(',')",
  message: "a group with a comma cannot be told from two groups: use one whose name has none",
});

/** Only what neither opens a door nor has a field of its own. */
const extraArgument = text("An argument in the form --name=value.", 512, {
  rule: `self.matches('^--((scope|acr-values|provider-display-name)=[A-Za-z0-9][A-Za-z0-9 ._:/-]*|prompt=(none|login|consent|select_account)|(oidc-groups-claim|oidc-email-claim)=[A-Za-z0-9_][A-Za-z0-9_.:/-]*|cookie-samesite=(lax|strict)|(request-logging|auth-logging|standard-logging)=(true|false))$')`,
  message:
    "allowed are --scope, --prompt, --acr-values, --oidc-groups-claim, --oidc-email-claim, --provider-display-name, --cookie-samesite=lax or strict, and --request-logging, --auth-logging, --standard-logging=true or false: all else has a field of its own or would open a way round the login (such as --skip-auth-route, --trusted-ip and --reverse-proxy)",
});

/** oauth2-proxy in front of MLflow. */
export const oauth2Proxy = z
  .strictObject({
    image: proxyImage.optional(),
    resources: z
      .strictObject({
        requests: amounts(
          "What is reserved. Default: cpu 20m, memory 64Mi; where there is a limit of the same resource, that.",
        ).optional(),
        limits: amounts("What must not be exceeded. Default: none.").optional(),
      })
      .meta({ description: "Compute resources of the proxy.", ...rules(requestsWithinLimits) })
      .optional(),
    issuerURL: issuer(
      "The OpenID Connect issuer, to the letter as it names itself, with or without a slash at the end. Example: https://dex.example.com/dex.",
      "issuerURL",
    ).meta(demanded("write the issuer's URL, such as issuerURL: https://dex.example.com/dex")),
    clientID: text("Id of the client at the issuer; also the audience that tokens must have. Example: mlflow.", 253, {
      rule: "!self.contains(',')",
      message: "a client id has no comma",
    }).meta(demanded("write the id of the client at the issuer, such as clientID: mlflow")),
    clientSecretRef: secretKey(
      "The client's secret, without a line break at its end. Default: none, a public client that proves itself by PKCE alone. It is read at each login, so a change needs no new pods.",
    ).optional(),
    ca: certificateAuthority(
      "Certificate authority of the issuers, besides the public ones. A change rolls the pods.",
    ).optional(),
    redirectURL: text(
      "Where the issuer sends browsers back to: the URL under which they see the server, and /oauth2/callback. Default: exposure.externalURL with /oauth2/callback behind; without that, the same of the Service, where browsers can sign in only with server.tls. Example: https://mlflow.example.com/oauth2/callback.",
      512,
      {
        rule: `self.matches('^(https://${hostWithPort}|http://(localhost|127[.]0[.]0[.]1)(:${portPattern})?)/oauth2/callback$')`,
        message:
          "redirectURL is https, a host and the path /oauth2/callback, such as https://mlflow.example.com/oauth2/callback (http only for localhost: else the session could be read on the way)",
      },
    ).optional(),
    emailDomains: z
      .array(emailDomain)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          'Whose e-mail addresses are let in. Default: ["*"], everybody whom the issuer gives a token for this client.',
        ...rules({
          rule: "self.size() > 0",
          message: 'no domain would let in nobody: name one, or leave out emailDomains, or write ["*"] for any address',
        }),
      })
      .optional(),
    allowedGroups: z
      .array(group)
      .max(64)
      .meta({
        "x-kubernetes-list-type": "set",
        description: "Groups of which a user needs one. Default: none is needed. ServiceAccounts have none.",
        ...rules({
          rule: "self.size() > 0",
          message: "no group is not nobody: name one, or leave out allowedGroups where none is needed",
        }),
      })
      .optional(),
    skipJWTBearerTokens: z
      .boolean()
      .meta({
        description:
          "Whether programs get in with an identity token as Authorization: Bearer. Default: true. false: by the session of a login only.",
      })
      .optional(),
    extraJWTIssuers: z
      .array(
        z
          .strictObject({
            issuer: issuer(
              "The issuer, exactly as tokens name it (iss). Example: https://ci.example.com.",
              "issuer",
            ).meta(demanded("write the issuer of the tokens, such as issuer: https://ci.example.com")),
            audience: audience("The audience that the tokens must have (aud). Example: mlflow.").meta(
              demanded("write the audience of the tokens, such as audience: mlflow"),
            ),
          })
          .meta({ description: "An issuer, and the audience of its tokens." }),
      )
      .max(8)
      .meta({
        description:
          "Further issuers whose tokens are accepted as Authorization: Bearer. Default: none. Example: [{issuer: https://ci.example.com, audience: mlflow}].",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["issuer", "audience"],
      })
      .optional(),
    acceptServiceAccountTokens: z
      .strictObject({
        issuer: issuer(
          "Issuer of the cluster's ServiceAccount tokens. Default: https://kubernetes.default.svc.<cluster domain>.",
          "issuer",
        ).optional(),
        audience: audience(
          "Audience of the tokens. Default: the issuer, which is the API server's own audience, and the only one that works with accessReview: SelfSubjectAccessReview.",
        ).optional(),
      })
      .meta({
        description:
          "Takes the projected tokens of ServiceAccounts as Authorization: Bearer. The issuer's discovery must answer without a credential (ClusterRole system:service-account-issuer-discovery, bound to the group system:unauthenticated). Example: acceptServiceAccountTokens: {}.",
        ...mayBeEmpty,
      })
      .optional(),
    authorization: proxyAuthorization,
    session: proxySession.optional(),
    extraArgs: z
      .array(extraArgument)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description: "Further arguments of oauth2-proxy, from an allow-list. Example: --scope=openid email.",
      })
      .optional(),
  })
  .meta({
    description:
      "oauth2-proxy in front of MLflow is the only entry point: browsers sign in at an OpenID Connect issuer, programs send a JWT. Example: {issuerURL: https://dex.example.com/dex, clientID: mlflow, authorization: {allAuthenticatedUsers: {}}}.",
    ...rules({
      rule: "!(has(self.skipJWTBearerTokens) && !self.skipJWTBearerTokens) || !(has(self.extraJWTIssuers) || has(self.acceptServiceAccountTokens))",
      message: "extraJWTIssuers and acceptServiceAccountTokens need skipJWTBearerTokens: leave that out, or these",
      fieldPath: ".skipJWTBearerTokens",
    }),
  });

export type ProxySettings = z.infer<typeof oauth2Proxy>;
