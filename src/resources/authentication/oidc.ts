import type { V1EnvVar } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import type { Oidc } from "../../api/fields/oidc.ts";
import { userDatabaseUri } from "../database.ts";
import { externalAddressOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { dataKeys, objectNames, serviceUrl } from "../names.ts";
import { fromSecret, literal } from "../pod/variable.ts";
import { cookiePrefix } from "../proxy/cookie-prefix.ts";
import { issuerOf } from "../proxy/issuers.ts";
import { caReferences, databaseReferences, type Reference, secretReference } from "../reference.ts";
import type { Authentication } from "./authentication.ts";
import { oidcCaFiles, oidcCaPath } from "./oidc-ca.ts";

/** People of an OpenID Connect issuer, and programs with its tokens: the plugin mlflow-oidc-auth. */
export function oidcAuthentication(inputs: Inputs, oidc: Oidc): Authentication {
  const uri = userDatabaseUri(inputs, oidc.database?.postgresql, "oidc-auth");
  const origin = URL.parse(redirectURL(inputs, oidc))?.origin;
  return {
    application: "oidc-auth",
    env: [...identity(inputs, oidc), ...sessions(inputs, oidc), ...closed(), ...accessTokens(oidc), ...authority(oidc)],
    files: uri === undefined ? {} : { [dataKeys.oidcUsersUri]: uri },
    mounted: oidcCaFiles(oidc),
    packages: ["mlflow_oidc_auth"],
    origin: oidc.redirectURL === undefined ? undefined : origin,
    readinessPath: "/health/ready",
    users: { application: "oidc-auth", postgresql: oidc.database?.postgresql, administrator: [] },
  };
}

/** The Secrets and ConfigMaps that it needs. */
export function oidcReferences({ clientSecretRef: clientSecret, database, ca }: Oidc): Reference[] {
  const path = "spec.authentication.oidc";
  return [
    secretReference(clientSecret.name, [clientSecret.key], `${path}.clientSecretRef`),
    ...databaseReferences(database?.postgresql, `${path}.database.postgresql`),
    ...caReferences(ca, `${path}.ca`),
  ];
}

/** Where a browser comes back to. Said outright: the plugin would otherwise take the Host of the request for it. */
function redirectURL({ server }: Inputs, { redirectURL }: Oidc): string {
  return redirectURL ?? `${externalAddressOf(server)?.url ?? serviceUrl(server)}/callback`;
}

/** Whose tokens count, for whom they must be, and whom they name. */
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
    // A key that the plugin does not know yet is looked for when this is over, not before.
    literal("OIDC_JWKS_CACHE_TTL_SECONDS", "60"),
    // Whoever presents a token of a member of a group is a user, as one who logs in by the browser is.
    literal("OIDC_PROVISION_ON_BEARER_AUTH", "true"),
    // After the login a browser is at MLflow's page, and not at the plugin's.
    literal("DEFAULT_LANDING_PAGE_IS_PERMISSIONS", "false"),
  ];
}

/** Users and sessions are the same in all replicas. */
function sessions(inputs: Inputs, oidc: Oidc): V1EnvVar[] {
  const { name } = inputs.server.metadata;
  const own = inputs.server.spec.server?.sessionSecretRef?.name;
  const isSecure = redirectURL(inputs, oidc).startsWith("https:");
  return [
    fromSecret("SECRET_KEY", own ?? objectNames.session(name), dataKeys.flaskSecretKey),
    fromSecret("OIDC_USERS_DB_URI", objectNames.authConfig(name), dataKeys.oidcUsersUri),
    // Not the plugin's default, which is also MLflow's own: the two could not share a database.
    literal("OIDC_ALEMBIC_VERSION_TABLE", "alembic_version_oidc"),
    literal("SESSION_COOKIE_SECURE", String(isSecure)),
    literal("SESSION_COOKIE_SAMESITE", "lax"),
    // Of this server alone: it may share its host with others.
    literal("SESSION_COOKIE_NAME", sessionName(inputs, isSecure)),
  ];
}

function sessionName(inputs: Inputs, isSecure: boolean): string {
  const { server } = inputs;
  return `${cookiePrefix(inputs, isSecure)}_${server.metadata.namespace ?? "default"}_${objectNames.service(server.metadata.name)}`;
}

/** What would let others in, as the plugin has it by default: said here, so that nothing else can say otherwise. */
function closed(): V1EnvVar[] {
  return [
    literal("CONFIG_PROVIDERS", "env"),
    literal("OIDC_VERIFY_SSL", "true"),
    literal("OIDC_CODE_CHALLENGE", "S256"),
    literal("OIDC_PUBLIC_CLIENT", "false"),
    literal("OIDC_USERINFO_GROUPS", "false"),
    literal("OIDC_TRUST_BEARER_GROUP_CLAIMS", "false"),
  ];
}

/** What src/resources/middleware/mlflow_operator/oidc_membership.py is told. */
function accessTokens({ accessTokens }: Oidc): V1EnvVar[] {
  const accessTokenSeconds = accessTokens && secondsOf(accessTokens.maxAge ?? defaults.accessTokenMaxAge);
  return [literal("MLFLOW_OPERATOR_OIDC", JSON.stringify({ accessTokenSeconds: accessTokenSeconds ?? null }))];
}

/** Python's TLS looks here besides the public authorities, which are in a directory. */
function authority({ ca }: Oidc): V1EnvVar[] {
  return ca === undefined ? [] : [literal("SSL_CERT_FILE", oidcCaPath)];
}
