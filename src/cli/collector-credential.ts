import type { ProxySettings } from "../api/fields/oauth2-proxy.ts";
import type { CertificateAuthority } from "../api/fields/reference.ts";
import type { MlflowServer } from "../api/server.ts";
import { authenticationMethod, discoveryURLOf } from "../features/authentication/index.ts";
import { hasListener } from "../model/mesh.ts";
import { isAuthorizedByKubernetes } from "../model/workspaces.ts";

/** The credential by which a server authenticates a collector. */
export type CollectorCredential =
  | { readonly kind: "None" }
  /** A user name and a password. */
  | { readonly kind: "Password" }
  /** A token that the collector requests from the issuer. */
  | { readonly kind: "ClientCredentials"; readonly discoveryURL: string; readonly ca: CertificateAuthority | undefined }
  /** The projected token of its ServiceAccount. Without an audience it is valid for the API server. */
  | { readonly kind: "ServiceAccountToken"; readonly audience: string | undefined };

/**
 * The credential with the fewest secrets: none where the identity in the mesh is enough, no stored one where the token of a ServiceAccount is
 * accepted. Throws where the server rejects programs.
 */
export function collectorCredential(server: MlflowServer, clusterDomain: string): CollectorCredential {
  if (hasListener(server)) return { kind: "None" };
  const { authentication } = server.spec;
  const { oauth2Proxy: proxy } = authentication;
  if (authentication.basic !== undefined || authentication.ldap !== undefined) return { kind: "Password" };
  const issuers = authenticationMethod(server.spec).issuers({ clusterDomain });
  const [main] = issuers;
  if (main === undefined) {
    if (!isAuthorizedByKubernetes(server.spec)) return { kind: "None" };
    return { kind: "ServiceAccountToken", audience: undefined };
  }
  if (proxy?.skipJWTBearerTokens === false)
    throw new Error(
      `MlflowServer/${server.metadata.name} rejects programs (spec.authentication.oauth2Proxy.skipJWTBearerTokens: false): leave it out`,
    );
  const ofCluster = issuers.find(({ isCluster }) => isCluster);
  if (ofCluster !== undefined && proxy !== undefined && takesServiceAccounts(proxy))
    return { kind: "ServiceAccountToken", audience: ofCluster.audience };
  return { kind: "ClientCredentials", discoveryURL: discoveryURLOf(main), ca: (authentication.oidc ?? proxy)?.ca };
}

/** Tokens of ServiceAccounts have neither groups nor an e-mail address. */
function takesServiceAccounts({ allowedGroups, emailDomains = ["*"] }: ProxySettings): boolean {
  return allowedGroups === undefined && emailDomains.includes("*");
}
