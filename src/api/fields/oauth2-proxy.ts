import { z } from "zod";
import { resources } from "./amounts.ts";
import { hostWithPort, portPattern } from "./host.ts";
import { proxyImage } from "./image.ts";
import { proxyAuthorization } from "./proxy-authorization.ts";
import { proxySession } from "./proxy-session.ts";
import { certificateAuthority, secretKey } from "./reference.ts";
import { mayBeEmpty, requiredRemedy, rules } from "./rule.ts";
import { plainText, text, url } from "./text.ts";

const httpsUrl = String.raw`https://${hostWithPort}(/[^@?#=,\\s]*)?`;

/** An issuer as in the claim iss of tokens. */
function issuer(description: string, field: string) {
  return url(description, 512, {
    rule: `self.matches('^${httpsUrl}$')`,
    message: `${field} must be the issuer as in the claim iss of tokens, such as https://dex.example.com/dex: https, since keys could be replaced over plain http, and without user, query and fragment`,
  });
}

function audience(description: string) {
  return text(description, 253, {
    rule: String.raw`self.matches('^[^=,\\s]+$')`,
    message: "an audience cannot contain a comma, = or a space: use another one",
  });
}

const emailDomain = plainText(
  "A domain: example.com, .example.com for all its subdomains, or * for any address. Example: example.com.",
  253,
  {
    rule: "self.matches('^([*]|[.]?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)$')",
    message:
      "an e-mail domain is example.com, .example.com for all its subdomains, or * for any address: no @ and no user",
  },
);

const group = text("A group, exactly as in the claim groups of tokens. Example: data-science.", 253, {
  rule: "!self.contains(',')",
  message: "a group cannot contain a comma, which separates groups: use another group",
});

/** Only arguments that neither bypass authentication nor have their own field. */
const extraArgument = plainText("An argument in the form --name=value.", 512, {
  rule: `self.matches('^--((scope|acr-values|provider-display-name)=[A-Za-z0-9][A-Za-z0-9 ._:/-]*|prompt=(none|login|consent|select_account)|(oidc-groups-claim|oidc-email-claim)=[A-Za-z0-9_][A-Za-z0-9_.:/-]*|cookie-samesite=(lax|strict)|(request-logging|auth-logging|standard-logging)=(true|false))$')`,
  message:
    "allowed are --scope, --prompt, --acr-values, --oidc-groups-claim, --oidc-email-claim, --provider-display-name, --cookie-samesite=lax or strict, and --request-logging, --auth-logging, --standard-logging=true or false: others have their own field or could bypass authentication (such as --skip-auth-route, --trusted-ip and --reverse-proxy)",
});

/** oauth2-proxy in front of MLflow. */
export const oauth2Proxy = z
  .strictObject({
    image: proxyImage.optional(),
    resources: resources("Compute resources of oauth2-proxy. Example: {requests: {memory: 128Mi}}.", {
      requests:
        "Requests. Default: cpu 20m and memory 64Mi, or the limit of the same resource if there is one. Example: {memory: 128Mi}.",
      limits: "Limits. Default: none. Example: {memory: 256Mi}.",
    }).optional(),
    issuerURL: issuer(
      "The OpenID Connect issuer, exactly as in its discovery document, with or without a trailing slash. Example: https://dex.example.com/dex.",
      "issuerURL",
    ).meta(requiredRemedy("write the issuer's URL, such as issuerURL: https://dex.example.com/dex")),
    clientID: text("Client ID at the issuer; also the required audience of tokens. Example: mlflow.", 253, {
      rule: "!self.contains(',')",
      message: "a client ID cannot contain a comma: use another one",
    }).meta(requiredRemedy("write the client ID at the issuer, such as clientID: mlflow")),
    clientSecretRef: secretKey(
      "The client secret, without a trailing line break. It is read at each login, so a change does not roll the pods. Default: none, for a public client, which uses PKCE only. Example: {name: mlflow-client, key: client-secret}.",
    ).optional(),
    ca: certificateAuthority(
      "CA bundle for the issuers, in addition to the public CAs. A change rolls the pods. Default: none. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
    redirectURL: url(
      "The redirect URL of the client: the URL of the server for browsers, followed by /oauth2/callback. Default: exposure.externalURL, or else the URL of the Service, followed by /oauth2/callback; at the Service browsers can sign in only with server.tls. Example: https://mlflow.example.com/oauth2/callback.",
      512,
      {
        rule: `self.matches('^(https://${hostWithPort}|http://(localhost|127[.]0[.]0[.]1)(:${portPattern})?)/oauth2/callback$')`,
        message:
          "redirectURL is https, a host and the path /oauth2/callback, such as https://mlflow.example.com/oauth2/callback (http only for localhost, since the session could be intercepted over plain http)",
      },
    ).optional(),
    emailDomains: z
      .array(emailDomain)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          'Domains of e-mail addresses that are allowed access. Default: ["*"], every user to whom the issuer issues a token for this client. Example: [example.com].',
        ...rules({
          rule: "self.size() > 0",
          message:
            'an empty list would deny all users: write a domain, or leave out emailDomains, or write ["*"] for any address',
        }),
      })
      .optional(),
    allowedGroups: z
      .array(group)
      .max(64)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Groups of which a user must be a member of at least one. ServiceAccounts are members of none. Default: no group is required. Example: [data-science].",
        ...rules({
          rule: "self.size() > 0",
          message: "an empty list does not deny users: write a group, or leave out allowedGroups if none is required",
        }),
      })
      .optional(),
    skipJWTBearerTokens: z
      .boolean()
      .meta({
        description:
          "Whether an ID token as Authorization: Bearer is accepted instead of a session. Default: true. Example: false.",
      })
      .optional(),
    extraJWTIssuers: z
      .array(
        z
          .strictObject({
            issuer: issuer(
              "The issuer, exactly as in the claim iss of tokens. Example: https://ci.example.com.",
              "issuer",
            ).meta(requiredRemedy("write the issuer of the tokens, such as issuer: https://ci.example.com")),
            audience: audience("The required audience (aud) of the tokens. Example: mlflow.").meta(
              requiredRemedy("write the audience of the tokens, such as audience: mlflow"),
            ),
          })
          .meta({ description: "An issuer with the audience of its tokens." }),
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
          "Issuer of the cluster's ServiceAccount tokens. Default: https://kubernetes.default.svc.<cluster domain>. Example: https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE.",
          "issuer",
        ).optional(),
        audience: audience(
          "Audience of the tokens. Default: the issuer, which is the audience of the API server and the only one that works with accessReview: SelfSubjectAccessReview. Example: mlflow.",
        ).optional(),
      })
      .meta({
        description:
          "Accepts projected tokens of ServiceAccounts as Authorization: Bearer. The discovery endpoint of the issuer must be accessible without authentication (ClusterRole system:service-account-issuer-discovery, bound to the group system:unauthenticated). Example: acceptServiceAccountTokens: {}.",
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
        description:
          "Further arguments of oauth2-proxy, from an allow list. Default: none. Example: ['--scope=openid email'].",
      })
      .optional(),
  })
  .meta({
    description:
      "oauth2-proxy in front of MLflow is the only entry point: browsers sign in at an OpenID Connect issuer, other clients send a JWT. Example: {issuerURL: https://dex.example.com/dex, clientID: mlflow, authorization: {allAuthenticatedUsers: {}}}.",
    ...rules({
      rule: "!(has(self.skipJWTBearerTokens) && !self.skipJWTBearerTokens) || !(has(self.extraJWTIssuers) || has(self.acceptServiceAccountTokens))",
      message:
        "extraJWTIssuers and acceptServiceAccountTokens need skipJWTBearerTokens: leave out skipJWTBearerTokens: false, or both of them",
      fieldPath: ".skipJWTBearerTokens",
    }),
  });

export type ProxySettings = z.infer<typeof oauth2Proxy>;
