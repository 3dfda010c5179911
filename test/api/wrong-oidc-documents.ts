import { oidcInFull } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const full = wrong(oidcInFull);
const oidc = "spec.authentication.oidc";

/** Wrong settings of an issuer. */
export const wrongOidcDocuments: readonly Wrong[] = [
  full(
    "an issuer next to MLflow's own users",
    { "spec.authentication.basic": {} },
    "spec.authentication",
    "exactly one of basic",
  ),
  ...[
    "https://keycloak.example.com/realms/ml",
    "https://keycloak.example.com/realms/ml/.well-known/openid-configuration/",
    "keycloak.example.com/.well-known/openid-configuration",
    "https://user@keycloak.example.com/.well-known/openid-configuration",
    "https://keycloak.example.com/.well-known/openid-configuration?a=b",
  ].map((url) =>
    full(
      `the discovery URL ${url}`,
      { [`${oidc}.discoveryURL`]: url },
      `${oidc}.discoveryURL`,
      url.includes("@") ? "password or @" : "followed by /.well-known/openid-configuration",
    ),
  ),
  ...["59m", "2161h", "0s", "90d", "1"].map((age) =>
    full(
      `access tokens of ${age}`,
      { [`${oidc}.accessTokens.maxAge`]: age },
      `${oidc}.accessTokens.maxAge`,
      /^[1-9][0-9]*[smh]$/.test(age) ? "from 1h to 2160h" : "must be a duration",
    ),
  ),
  full("an issuer that is no URL", { [`${oidc}.issuer`]: "ml" }, `${oidc}.issuer`, "in the claim iss of tokens"),
  ...[
    "https://mlflow.example.com",
    "https://mlflow.example.com/mlflow/callback",
    "mlflow.example.com/callback",
    "https://mlflow.1/callback",
  ].map((url) =>
    full(`coming back to ${url}`, { [`${oidc}.redirectURL`]: url }, `${oidc}.redirectURL`, "followed by /callback"),
  ),
  full("scopes without openid", { [`${oidc}.scopes`]: ["profile"] }, `${oidc}.scopes`, "must contain openid"),
  full("scopes in one text", { [`${oidc}.scopes`]: ["openid", "email profile"] }, `${oidc}.scopes[1]`, "one scope"),
  full("no scope", { [`${oidc}.scopes`]: [] }, `${oidc}.scopes`, "at least 1"),
  full("two groups in one", { [`${oidc}.userGroup`]: "a,b" }, `${oidc}.userGroup`, "one group, without a comma"),
  full(
    "a group with a trailing space",
    { [`${oidc}.adminGroup`]: "a " },
    `${oidc}.adminGroup`,
    "without leading or trailing spaces",
  ),
  full("no group of administrators", { [`${oidc}.adminGroup`]: undefined }, `${oidc}.adminGroup`, "Required value"),
  full("two claims", { [`${oidc}.usernameClaim`]: "email,upn" }, `${oidc}.usernameClaim`, "one token claim"),
  full(
    "a secret in the spec",
    { [`${oidc}.clientSecretRef`]: "secret" },
    `${oidc}.clientSecretRef`,
    "must be of type object",
  ),
  full(
    "another CA bundle by a variable",
    { "spec.server": { env: [{ name: "SSL_CERT_FILE", value: "/tmp/ca.crt" }] } },
    "spec.server.env",
    "put the certificates of both CAs into authentication.oidc.ca",
  ),
  ...["OIDC_GROUP_DETECTION_PLUGIN", "OIDC_VERIFY_SSL", "AUTH_PROVIDERS", "SECRET_KEY", "TRUSTED_PROXIES"].map((name) =>
    full(
      `the variable ${name}`,
      { "spec.server": { env: [{ name, value: "x" }] } },
      "spec.server.env[0].name",
      "use authentication.oidc",
    ),
  ),
];
