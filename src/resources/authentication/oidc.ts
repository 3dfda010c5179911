import type { V1EnvVar } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import type { Oidc } from "../../api/fields/oidc.ts";
import { caReferences, type Reference, secretReference } from "../../features/common/reference.ts";
import { fromSecret, literal } from "../../features/common/variable.ts";
import { separateUserDatabase } from "../../features/database/index.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { issuerOf } from "../../model/issuers.ts";
import { dataKeys, objectNames, serviceUrl } from "../../model/names.ts";
import { cookiePrefix } from "../proxy/cookie-prefix.ts";
import type { Authentication } from "./authentication.ts";
import { oidcCaFiles, oidcCaPath } from "./oidc-ca.ts";
import { userDatabase } from "./user-database.ts";

const path = "spec.authentication.oidc";

/** Returns OpenID Connect authentication with the plugin mlflow-oidc-auth, for browsers and for clients with tokens. */
export function oidcAuthentication(inputs: Inputs, oidc: Oidc): Authentication {
  const users = userDatabase(inputs, oidc.database, `${path}.database`, "oidc-auth");
  const uri = users.database.uri(inputs.references);
  const origin = URL.parse(redirectURL(inputs, oidc))?.origin;
  return {
    application: "oidc-auth",
    env: [
      ...identity(inputs, oidc),
      ...sessions(inputs, oidc),
      ...secureDefaults(),
      ...accessTokens(oidc),
      ...caVariable(oidc),
    ],
    files: uri === undefined ? {} : { [dataKeys.oidcUsersUri]: uri },
    mounted: oidcCaFiles(oidc),
    packages: ["mlflow_oidc_auth"],
    origin: oidc.redirectURL === undefined ? undefined : origin,
    readinessPath: "/health/ready",
    users: { ...users, administrator: [] },
  };
}

/** Returns the Secrets and ConfigMaps that it references. */
export function oidcReferences({ clientSecretRef: clientSecret, database, ca }: Oidc): Reference[] {
  return [
    secretReference(clientSecret.name, [clientSecret.key], `${path}.clientSecretRef`),
    ...(separateUserDatabase(database, `${path}.database`)?.references ?? []),
    ...caReferences(ca, `${path}.ca`),
  ];
}

/** Returns the redirect URL. Set explicitly: by default the plugin derives it from the Host header. */
function redirectURL({ server }: Inputs, { redirectURL }: Oidc): string {
  return redirectURL ?? `${externalAddressOf(server)?.url ?? serviceUrl(server)}/callback`;
}

/** Returns the variables for issuer, client, claims and groups. */
function identity(inputs: Inputs, oidc: Oidc): V1EnvVar[] {
  const { discoveryURL, clientID, clientSecretRef: clientSecret, scopes, usernameClaim, groupsClaim } = oidc;
  const { issuer, audience } = issuerOf(oidc);
  return [
    literal("OIDC_DISCOVERY_URL", discoveryURL),
    literal("OIDC_ISSUER", issuer),
    literal("OIDC_CLIENT_ID", clientID),
    fromSecret("OIDC_CLIENT_SECRET", clientSecret.name, clientSecret.key),
    literal("OIDC_REDIRECT_URI", redirectURL(inputs, oidc)),
    literal("OIDC_SCOPE", (scopes ?? ["openid", "email", "profile"]).join(" ")),
    literal("OIDC_AUDIENCE", audience),
    literal("OIDC_USERNAME_FIELD", usernameClaim ?? "preferred_username"),
    literal("OIDC_GROUPS_ATTRIBUTE", groupsClaim ?? "groups"),
    literal("OIDC_GROUP_NAME", oidc.userGroup),
    literal("OIDC_ADMIN_GROUP_NAME", oidc.adminGroup),
    literal("DEFAULT_MLFLOW_PERMISSION", oidc.defaultPermission ?? "NO_PERMISSIONS"),
    // The plugin fetches unknown signing keys only after this time.
    literal("OIDC_JWKS_CACHE_TTL_SECONDS", "60"),
    // A token of a group member creates the user, as a login in a browser does.
    literal("OIDC_PROVISION_ON_BEARER_AUTH", "true"),
    // After the login a browser is redirected to MLflow's page, not to the plugin's.
    literal("DEFAULT_LANDING_PAGE_IS_PERMISSIONS", "false"),
  ];
}

/** Returns the variables for users and sessions, which all replicas share. */
function sessions(inputs: Inputs, oidc: Oidc): V1EnvVar[] {
  const { name } = inputs.server.metadata;
  const own = inputs.server.spec.server?.sessionSecretRef?.name;
  const isSecure = redirectURL(inputs, oidc).startsWith("https:");
  return [
    fromSecret("SECRET_KEY", own ?? objectNames.session(name), dataKeys.flaskSecretKey),
    fromSecret("OIDC_USERS_DB_URI", objectNames.authConfig(name), dataKeys.oidcUsersUri),
    // Not the plugin's default, which is also MLflow's own and would prevent a shared database.
    literal("OIDC_ALEMBIC_VERSION_TABLE", "alembic_version_oidc"),
    literal("SESSION_COOKIE_SECURE", String(isSecure)),
    literal("SESSION_COOKIE_SAMESITE", "lax"),
    // Unique per server, because several servers can share a host.
    literal("SESSION_COOKIE_NAME", sessionName(inputs, isSecure)),
  ];
}

function sessionName(inputs: Inputs, isSecure: boolean): string {
  const { server } = inputs;
  return `${cookiePrefix(inputs, isSecure)}_${server.metadata.namespace ?? "default"}_${objectNames.service(server.metadata.name)}`;
}

/** Returns security settings at the plugin's secure defaults, set explicitly so that no other source can override them. */
function secureDefaults(): V1EnvVar[] {
  return [
    literal("CONFIG_PROVIDERS", "env"),
    literal("OIDC_VERIFY_SSL", "true"),
    literal("OIDC_CODE_CHALLENGE", "S256"),
    literal("OIDC_PUBLIC_CLIENT", "false"),
    literal("OIDC_USERINFO_GROUPS", "false"),
    literal("OIDC_TRUST_BEARER_GROUP_CLAIMS", "false"),
  ];
}

/** Returns the settings of python/src/mlflow_operator/oidc_membership.py. */
function accessTokens({ accessTokens }: Oidc): V1EnvVar[] {
  const accessTokenSeconds = accessTokens && secondsOf(accessTokens.maxAge ?? defaults.accessTokenMaxAge);
  return [literal("MLFLOW_OPERATOR_OIDC", JSON.stringify({ accessTokenSeconds: accessTokenSeconds ?? null }))];
}

/** Returns the variable with an additional CA bundle for Python's TLS. */
function caVariable({ ca }: Oidc): V1EnvVar[] {
  return ca === undefined ? [] : [literal("SSL_CERT_FILE", oidcCaPath)];
}
