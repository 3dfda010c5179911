import { type Document, type Json, ldapTemplate, oidcInFull, proxied, proxyAlone, smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const small = wrong(smallest);
const full = wrong(proxied);
const alone = wrong(proxyAlone);

/** A field of oauth2-proxy with each of these values, which must all be rejected with the same message. */
function each(field: string, values: readonly Json[], says: string, at = ""): Wrong[] {
  const path = `spec.authentication.oauth2Proxy.${field}`;
  return values.map((value) => full(`${field} ${JSON.stringify(value)}`, { [path]: value }, `${path}${at}`, says));
}

const issuers = [
  "dex.example.com",
  "http://dex.example.com/dex",
  "https://",
  "https://dex.example.com/dex?a=b",
  "https://dex.example.com/#x",
  "https://dex.example.com/a,b",
];

const args = [
  ...["--reverse-proxy", "--reverse-proxy=true", "--trusted-ip=10.0.0.0/8", "--skip-auth-route=GET=^/health$"],
  ...["--skip-auth-regex=.*", "--skip-auth-strip-headers=false", "--upstream=http://elsewhere", "--email-domain=*"],
  ...["--client-secret=x", "--cookie-secret=x", "--pass-access-token=true", "--config=/etc/x", "--alpha-config=/etc/x"],
  ...["--ssl-insecure-skip-verify=true", "--insecure-oidc-skip-issuer-verification=true", "--htpasswd-file=/etc/x"],
  ...["--insecure-oidc-allow-unverified-email=true", "--authenticated-emails-file=/x", "--metrics-address=:1"],
  ...["--cookie-samesite=none", "--prompt=anything", "--scope=", "scope=openid", "--scope openid", "-scope=openid"],
  ...["--force-json-errors=false", "--api-route=^$", "--oidc-extra-audience=x", "--request-logging-format=x"],
];

export const wrongProxies: readonly Wrong[] = [
  ...Object.entries({ smallest, ldapTemplate, oidcInFull }).map(([name, document]) =>
    wrong(document)(
      `oauth2-proxy in front of ${name}`,
      { "spec.authentication.oauth2Proxy": proxyOf(proxyAlone) },
      "spec.authentication",
      "exactly one of basic, ldap, oidc, kubernetes, oauth2Proxy, none",
    ),
  ),
  small("the proxy of earlier versions", { "spec.proxy": proxyOf(proxyAlone) }, "", 'unknown field "spec.proxy"'),
  alone(
    "no authorization",
    { "spec.authentication.oauth2Proxy.authorization": undefined },
    "spec.authentication.oauth2Proxy.authorization",
    "write allAuthenticatedUsers: {}",
  ),
  ...each("authorization", [{}, { allAuthenticatedUsers: {}, kubernetes: {} }], "exactly one of allAuthenticatedUsers"),
  alone(
    "no issuer",
    { "spec.authentication.oauth2Proxy.issuerURL": undefined },
    "spec.authentication.oauth2Proxy.issuerURL",
    "write the issuer's URL",
  ),
  alone(
    "no client",
    { "spec.authentication.oauth2Proxy.clientID": undefined },
    "spec.authentication.oauth2Proxy.clientID",
    "write the client ID",
  ),
  alone(
    "oauth2-proxy without settings",
    { "spec.authentication.oauth2Proxy": {} },
    "spec.authentication.oauth2Proxy.issuerURL",
    "write the issuer's URL",
  ),
  ...each("issuerURL", issuers, "as in the claim iss of tokens"),
  ...each("issuerURL", ["https://user@dex.example.com"], "password or @"),
  ...each("redirectURL", ["https://a@mlflow.example.com/oauth2/callback"], "password or @"),
  ...each("session.redis.url", ["rediss://mlflow:secret@redis.example.com"], "password or @"),
  ...each("clientID", ["a,b"], "cannot contain a comma"),
  ...each("clientSecretRef", [{ name: "s" }], "Required value", ".key"),
  ...each("ca", [{}], "exactly one of secretRef, configMapRef"),
  ...each(
    "redirectURL",
    [
      "https://mlflow.example.com",
      "https://mlflow.example.com/",
      "http://mlflow.example.com/oauth2/callback",
      "http://localhost.example.com/oauth2/callback",
      "https://mlflow.example.com/mlflow/oauth2/callback",
      "https://mlflow.example.com/oauth2/callback?x",
    ],
    "the path /oauth2/callback",
  ),
  ...each("emailDomains", [[]], 'leave out emailDomains, or write ["*"]'),
  ...["me@example.com", "@example.com", "*.example.com", "example.com,other.com", "exa mple.com"].map((domain) =>
    full(
      `emailDomains ${domain}`,
      { "spec.authentication.oauth2Proxy.emailDomains": [domain] },
      "spec.authentication.oauth2Proxy.emailDomains[0]",
      "no @",
    ),
  ),
  ...each("allowedGroups", [[]], "leave out allowedGroups"),
  full(
    "a group with a comma",
    { "spec.authentication.oauth2Proxy.allowedGroups[0]": "a,system:masters" },
    "spec.authentication.oauth2Proxy.allowedGroups[0]",
    "comma",
  ),
  ...[...issuers, "https://a.example.com=x", "=mlflow", "https://a.example.com=x,https://b.example.com=y"].map(
    (issuer) =>
      full(
        `extraJWTIssuers of ${issuer}`,
        { "spec.authentication.oauth2Proxy.extraJWTIssuers[0]": { issuer, audience: "mlflow" } },
        "spec.authentication.oauth2Proxy.extraJWTIssuers[0].issuer",
        "as in the claim iss of tokens",
      ),
  ),
  ...["a,b", "a=b", "a b"].map((audience) =>
    full(
      `extraJWTIssuers for ${audience}`,
      { "spec.authentication.oauth2Proxy.extraJWTIssuers[0]": { issuer: "https://a.example.com", audience } },
      "spec.authentication.oauth2Proxy.extraJWTIssuers[0].audience",
      "cannot contain a comma, = or a space",
    ),
  ),
  full(
    "extraJWTIssuers without an audience",
    { "spec.authentication.oauth2Proxy.extraJWTIssuers[0]": { issuer: "https://a.example.com" } },
    "spec.authentication.oauth2Proxy.extraJWTIssuers[0].audience",
    "write the audience",
  ),
  full(
    "extraJWTIssuers as text",
    { "spec.authentication.oauth2Proxy.extraJWTIssuers[0]": "https://a.example.com=mlflow" },
    "spec.authentication.oauth2Proxy.extraJWTIssuers[0]",
    "must be of type object",
  ),
  ...issuers.map((issuer) =>
    full(
      `ServiceAccounts of ${issuer}`,
      { "spec.authentication.oauth2Proxy.acceptServiceAccountTokens.issuer": issuer },
      "spec.authentication.oauth2Proxy.acceptServiceAccountTokens.issuer",
      "as in the claim iss of tokens",
    ),
  ),
  full(
    "two audiences",
    { "spec.authentication.oauth2Proxy.acceptServiceAccountTokens.audience": "a,b" },
    "spec.authentication.oauth2Proxy.acceptServiceAccountTokens.audience",
    "cannot contain a comma",
  ),
  alone(
    "ServiceAccounts without tokens",
    { "spec.authentication.oauth2Proxy.acceptServiceAccountTokens": {} },
    "spec.authentication.oauth2Proxy.skipJWTBearerTokens",
    "leave out skipJWTBearerTokens: false",
  ),
  ...each(
    "session.redis.url",
    [
      "redis.example.com:6379",
      "rediss://",
      "rediss://redis.example.com/0?db=1",
      "redis://redis.example.com/sessions",
      "unix:///run/redis.sock",
      "redis://redis:99999",
    ],
    "have their own fields",
  ),
  ...each("session.redis", [{}, { username: "mlflow" }], "write the address of Redis", ".url"),
  ...each("session.redis", [{ url: "redis://redis", ca: { secretRef: { name: "ca" } } }], "ca is for TLS", ".ca"),
  ...each("session.redis", [{ url: "redis://redis", username: "mlflow" }], "add passwordSecretRef", ".username"),
  ...each("session", [{ refresh: "2h", expire: "1h" }, { expire: "30m" }, { refresh: "8h" }], "shorter than expire"),
  ...["1", "1d", "0s", "30m1h", "-1h", "1.5h"].map((time) =>
    full(
      `refresh ${time}`,
      { "spec.authentication.oauth2Proxy.session": { refresh: time } },
      "spec.authentication.oauth2Proxy.session.refresh",
      "a duration such as",
    ),
  ),
  ...args.map((argument) =>
    full(
      `the argument ${argument}`,
      { "spec.authentication.oauth2Proxy.extraArgs": [argument] },
      "spec.authentication.oauth2Proxy.extraArgs[0]",
      "allowed are --scope",
    ),
  ),
  ...[
    "v7.15.4",
    "7.15.4",
    "v7.15.2",
    "v7.15.1",
    "v7.15.0-alpine",
    "v7.14.3",
    "v7.9.0",
    "v6.1.1",
    "7.4",
    "v5",
    "v7.14",
  ].map((tag) =>
    full(
      `oauth2-proxy ${tag}`,
      { "spec.authentication.oauth2Proxy.image.tag": tag },
      "spec.authentication.oauth2Proxy.image.tag",
      "use v7.15.5 or newer",
    ),
  ),
  full(
    "a request above the limit",
    { "spec.authentication.oauth2Proxy.resources": { requests: { memory: "1Gi" }, limits: { memory: "64Mi" } } },
    "spec.authentication.oauth2Proxy.resources",
    "cannot be above the limit",
  ),
  alone("hosts behind the proxy", { "spec.server": { allowedHosts: ["a"] } }, "spec.server.allowedHosts", "leave out"),
  full("Kubernetes on 3.16.1", { "spec.version": "3.16.1" }, "spec.authentication", "needs version 3.17.2"),
];

function proxyOf(document: Document): Json {
  const { spec } = document;
  const isObject = (value: Json | undefined): value is Document =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const authentication = isObject(spec) ? spec["authentication"] : undefined;
  const proxy = isObject(authentication) ? authentication["oauth2Proxy"] : undefined;
  if (proxy === undefined) throw new Error("there is no proxy");
  return proxy;
}
