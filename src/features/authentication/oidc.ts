import type { V1EnvVar } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import type { Oidc } from "../../api/fields/oidc.ts";
import { secondsOf } from "../../api/quantity.ts";
import { fromSecret, literal } from "../../kube/variable.ts";
import { sessionCookieName } from "../../model/addresses.ts";
import { dataKeys } from "../../model/names.ts";
import type { ServerBase } from "../../model/server-base.ts";
import { caFileVolume } from "../common/mounted-volume.ts";
import { caReferences, secretReference } from "../common/reference.ts";
import { lineProblems } from "../common/secret-problems.ts";
import { separateUserDatabase } from "../database/index.ts";
import { type AuthenticationMethod, noSettings, type TokenIssuer } from "./authentication.ts";

const path = "spec.authentication.oidc";

/** The path of the issuer's CA bundle. */
const caPath = "/etc/mlflow/ca/oidc/ca.crt";

/** OpenID Connect with the plugin mlflow-oidc-auth, for browsers and for clients with tokens. */
export function oidcMethod(oidc: Oidc): AuthenticationMethod {
  const { clientSecretRef: clientSecret, ca } = oidc;
  const separate = separateUserDatabase(oidc.database, `${path}.database`);
  const issuerCaFiles = ca === undefined ? [] : [caFileVolume("ca-oidc", ca, caPath)];
  return {
    ...noSettings,
    displayName: "OIDC",
    unauthenticated: { publicPath: "/health", login: { paths: ["/login", "/oidc/ui"] } },
    references: [
      secretReference(clientSecret.name, [clientSecret.key], `${path}.clientSecretRef`),
      ...(separate?.references ?? []),
      ...caReferences(ca, `${path}.ca`),
    ],
    urls: [
      { path: `${path}.discoveryURL`, url: oidc.discoveryURL },
      ...(oidc.issuer === undefined ? [] : [{ path: `${path}.issuer`, url: oidc.issuer }]),
      ...(oidc.redirectURL === undefined ? [] : [{ path: `${path}.redirectURL`, url: oidc.redirectURL }]),
    ],
    problems: (content) => lineProblems([{ ...clientSecret, remedy: "write the client's secret" }], content),
    issuers: () => [issuerOf(oidc)],
    issuerCaFiles,
    pod: (base, backend) => {
      const database = separate ?? backend.forUsers("oidc-auth");
      const uri = database.uri(base.references);
      // Set explicitly: by default the plugin derives it from the Host header.
      const redirectURL = oidc.redirectURL ?? `${base.addresses.publicURL}/callback`;
      return {
        application: "oidc-auth",
        env: [
          ...identity(oidc, redirectURL),
          ...sessions(base, redirectURL.startsWith("https:")),
          ...secureDefaults(),
          ...accessTokens(oidc),
          // An additional CA bundle for Python's TLS.
          ...(ca === undefined ? [] : [literal("SSL_CERT_FILE", caPath)]),
        ],
        files: { ...(uri !== undefined && { [dataKeys.oidcUsersUri]: uri }) },
        mounted: issuerCaFiles,
        packages: ["mlflow_oidc_auth"],
        origin: oidc.redirectURL === undefined ? undefined : URL.parse(redirectURL)?.origin,
        readinessPath: "/health/ready",
        users: { application: "oidc-auth", database, isSeparate: separate !== undefined, administrator: [] },
      };
    },
  };
}

const discoveryPath = "/.well-known/openid-configuration";

/** Returns the issuer of MLflow's plugin; its discovery URL can have another address than the issuer. */
function issuerOf({ discoveryURL, issuer, audience, clientID }: Oidc): TokenIssuer {
  return {
    issuer: issuer ?? discoveryURL.slice(0, -discoveryPath.length),
    audience: audience ?? clientID,
    path: issuer === undefined ? `${path}.discoveryURL` : `${path}.issuer`,
    ca: `${path}.ca`,
    discovery: discoveryURL,
  };
}

/** Returns the variables for issuer, client, claims and groups. */
function identity(oidc: Oidc, redirectURL: string): V1EnvVar[] {
  const { discoveryURL, clientID, clientSecretRef: clientSecret, scopes, usernameClaim, groupsClaim } = oidc;
  const { issuer, audience } = issuerOf(oidc);
  return [
    literal("OIDC_DISCOVERY_URL", discoveryURL),
    literal("OIDC_ISSUER", issuer),
    literal("OIDC_CLIENT_ID", clientID),
    fromSecret("OIDC_CLIENT_SECRET", clientSecret.name, clientSecret.key),
    literal("OIDC_REDIRECT_URI", redirectURL),
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
function sessions(base: ServerBase, isSecure: boolean): V1EnvVar[] {
  return [
    fromSecret("SECRET_KEY", base.session.secret, dataKeys.flaskSecretKey),
    fromSecret("OIDC_USERS_DB_URI", base.names.authConfig, dataKeys.oidcUsersUri),
    // Not the plugin's default, which is also MLflow's own and would prevent a shared database.
    literal("OIDC_ALEMBIC_VERSION_TABLE", "alembic_version_oidc"),
    literal("SESSION_COOKIE_SECURE", String(isSecure)),
    literal("SESSION_COOKIE_SAMESITE", "lax"),
    // Unique per server, because several servers can share a host.
    literal(
      "SESSION_COOKIE_NAME",
      sessionCookieName({ metadata: base.owner.metadata, addresses: base.addresses }, isSecure),
    ),
  ];
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
