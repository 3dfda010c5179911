import type { Oidc } from "../api/fields/oidc.ts";
import type { Inputs, Installation } from "./inputs.ts";

/** A trusted issuer of tokens, and the field of the spec that sets it. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly path: string;
  /** The field of the spec for its CA bundle. */
  readonly ca: string;
  /** Whether it is the issuer of the API server. */
  readonly isCluster?: true;
  /** Its discovery URL, unless it is the default. */
  readonly discovery?: string;
}

/** Returns the trusted issuers, first the one for browser logins. */
export function issuersOf({
  server,
  installation,
}: Pick<Inputs, "server"> & { readonly installation: Pick<Installation, "clusterDomain"> }): TokenIssuer[] {
  const { oidc, oauth2Proxy: proxy } = server.spec.authentication;
  if (oidc !== undefined) return [issuerOf(oidc)];
  if (proxy === undefined) return [];
  const { issuerURL, clientID, extraJWTIssuers = [], acceptServiceAccountTokens } = proxy;
  const path = "spec.authentication.oauth2Proxy";
  const ca = `${path}.ca`;
  const ofCluster =
    acceptServiceAccountTokens?.issuer ?? `https://kubernetes.default.svc.${installation.clusterDomain}`;
  return [
    { issuer: issuerURL, audience: clientID, path: `${path}.issuerURL`, ca },
    ...extraJWTIssuers.map(({ issuer, audience }, index) => ({
      issuer,
      audience,
      path: `${path}.extraJWTIssuers[${index}]`,
      ca,
    })),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [
          {
            issuer: ofCluster,
            audience: acceptServiceAccountTokens.audience ?? ofCluster,
            path: `${path}.acceptServiceAccountTokens`,
            ca,
            isCluster: true as const,
          },
        ]),
  ];
}

const discoveryPath = "/.well-known/openid-configuration";

/** Returns the discovery URL of an issuer. */
export function discoveryURLOf({ issuer, discovery }: TokenIssuer): string {
  return discovery ?? `${issuer.replace(/\/$/, "")}${discoveryPath}`;
}

/** Returns the issuer of MLflow's plugin; its discovery URL can have another address than the issuer. */
export function issuerOf({ discoveryURL, issuer, audience, clientID }: Oidc): TokenIssuer {
  const path = "spec.authentication.oidc";
  return {
    issuer: issuer ?? discoveryURL.slice(0, -discoveryPath.length),
    audience: audience ?? clientID,
    path: issuer === undefined ? `${path}.discoveryURL` : `${path}.issuer`,
    ca: `${path}.ca`,
    discovery: discoveryURL,
  };
}
