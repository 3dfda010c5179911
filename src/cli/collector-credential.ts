import type { ProxySettings } from "../api/fields/proxy.ts";
import type { CertificateAuthority } from "../api/fields/reference.ts";
import type { MlflowServer } from "../api/server.ts";
import { hasListener } from "../resources/mesh/steps.ts";
import { discoveryUrlOf, issuersOf } from "../resources/proxy/issuers.ts";

/** By what a server takes a collector for who it is. */
export type CollectorCredential =
  | { readonly kind: "None" }
  /** A user name and a password. */
  | { readonly kind: "Password" }
  /** A token that the collector gets from the issuer for itself. */
  | { readonly kind: "ClientCredentials"; readonly discoveryUrl: string; readonly ca: CertificateAuthority | undefined }
  /** The projected token of its ServiceAccount; without an audience it is for the API server. */
  | { readonly kind: "ServiceAccountToken"; readonly audience: string | undefined };

/** The credential with the least to keep: none where the mesh's word is enough, no secret where a ServiceAccount's token will do. Throws where no program gets in. */
export function collectorCredential(server: MlflowServer, clusterDomain: string): CollectorCredential {
  if (hasListener(server)) return { kind: "None" };
  const { authentication, proxy } = server.spec;
  if (authentication.basic !== undefined || authentication.ldap !== undefined) return { kind: "Password" };
  const issuers = issuersOf({ server, installation: { clusterDomain } });
  const [main] = issuers;
  if (main === undefined) {
    if (authentication.kubernetes === undefined) return { kind: "None" };
    return { kind: "ServiceAccountToken", audience: undefined };
  }
  if (proxy?.skipJwtBearerTokens === false)
    throw new Error(
      `MlflowServer/${server.metadata.name} lets no program in (spec.proxy.skipJwtBearerTokens: false): leave that out`,
    );
  const ofCluster = issuers.find(({ isCluster }) => isCluster);
  if (ofCluster !== undefined && proxy !== undefined && takesServiceAccounts(proxy))
    return { kind: "ServiceAccountToken", audience: ofCluster.audience };
  return { kind: "ClientCredentials", discoveryUrl: discoveryUrlOf(main), ca: (authentication.oidc ?? proxy)?.ca };
}

/** Tokens of ServiceAccounts have neither groups nor an e-mail address. */
function takesServiceAccounts({ allowedGroups, emailDomains = ["*"] }: ProxySettings): boolean {
  return allowedGroups === undefined && emailDomains.includes("*");
}
