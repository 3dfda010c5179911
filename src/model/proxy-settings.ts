import type { V1ResourceRequirements } from "@kubernetes/client-node";
import { defaults, reservedNames } from "../api/defaults.ts";
import type { CertificateAuthority } from "../api/fields/reference.ts";
import type { MlflowServer } from "../api/server.ts";
import { type Addresses, sessionCookieName } from "./addresses.ts";
import { computeResources } from "./compute-resources.ts";
import { type ContainerImage, proxyImage } from "./images.ts";
import type { Installation } from "./inputs.ts";

/** The settings of oauth2-proxy, with defaults. */
export interface ProxySettings {
  readonly image: ContainerImage;
  readonly resources: V1ResourceRequirements;
  readonly issuerURL: string;
  readonly clientID: string;
  readonly clientSecret: { readonly name: string; readonly key: string } | undefined;
  readonly ca: CertificateAuthority | undefined;
  readonly acceptsServiceAccountTokens: boolean;
  readonly acceptsBearerTokens: boolean;
  readonly emailDomains: readonly string[];
  readonly allowedGroups: readonly string[];
  readonly redirectURL: string;
  /** Whether browsers send the session by https only, and the name of its cookie. */
  readonly isSecure: boolean;
  readonly cookieName: string;
  /** How long a session lasts, and when it is refreshed. */
  readonly session: { readonly refresh: string; readonly expire: string };
  readonly extraArgs: readonly string[];
  /** How names for Kubernetes RBAC are read from the ID token; undefined without authorization by Kubernetes. */
  readonly identity: ProxyIdentity | undefined;
}

/** Which claims of the ID token are user and groups for Kubernetes RBAC. */
export interface ProxyIdentity {
  readonly usernameClaim: string;
  readonly groupsClaim: string;
  readonly usernamePrefix: string;
  readonly groupsPrefix: string;
  readonly reservedNames: readonly string[];
}

/** Returns the settings of oauth2-proxy; undefined for a server without. */
export function proxySettings(
  { metadata, spec }: Pick<MlflowServer, "metadata" | "spec">,
  installation: Pick<Installation, "proxyImage">,
  addresses: Addresses,
): ProxySettings | undefined {
  const { oauth2Proxy: proxy } = spec.authentication;
  if (proxy === undefined) return undefined;
  const { kubernetes } = proxy.authorization;
  const { session = {} } = proxy;
  const isSecure = !(proxy.redirectURL ?? addresses.external?.url)?.startsWith("http:");
  // With Kubernetes authorization the token must be renewed before it expires.
  const refresh = kubernetes === undefined ? defaults.sessionRefresh : defaults.kubernetesSessionRefresh;
  return {
    image: proxyImage(proxy, installation),
    resources: computeResources(defaults.proxyRequests, proxy.resources),
    issuerURL: proxy.issuerURL,
    clientID: proxy.clientID,
    clientSecret: proxy.clientSecretRef,
    ca: proxy.ca,
    acceptsServiceAccountTokens: proxy.acceptServiceAccountTokens !== undefined,
    acceptsBearerTokens: proxy.skipJWTBearerTokens ?? true,
    emailDomains: proxy.emailDomains ?? ["*"],
    allowedGroups: proxy.allowedGroups ?? [],
    redirectURL: proxy.redirectURL ?? `${addresses.publicURL}/oauth2/callback`,
    isSecure,
    cookieName: sessionCookieName({ metadata, addresses }, isSecure),
    session: {
      refresh: session.refresh ?? refresh,
      expire: session.expire ?? defaults.sessionExpire,
    },
    extraArgs: proxy.extraArgs ?? [],
    identity: kubernetes && {
      usernameClaim: kubernetes.usernameClaim ?? "sub",
      groupsClaim: kubernetes.groupsClaim ?? "groups",
      usernamePrefix: kubernetes.usernamePrefix ?? "",
      groupsPrefix: kubernetes.groupsPrefix ?? "",
      reservedNames: kubernetes.reservedNames ?? reservedNames,
    },
  };
}
