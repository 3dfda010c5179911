import type { Oidc } from "../../api/fields/oidc.ts";
import type { Inputs, Installation } from "../inputs.ts";

/** An issuer of tokens that are taken, and the field of the spec that names it. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly path: string;
  /** The field of the spec for its authority. */
  readonly ca: string;
  /** Whether it is the API server's own. */
  readonly isCluster?: true;
  /** Where it describes itself, unless that follows from its name. */
  readonly discovery?: string;
}

/** The issuers whose tokens are taken: first the one where people sign in. */
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

/** Where an issuer describes itself. */
export function discoveryURLOf({ issuer, discovery }: TokenIssuer): string {
  return discovery ?? `${issuer.replace(/\/$/, "")}${discoveryPath}`;
}

/** The issuer of MLflow's plugin, which may be reached by another address than the one that it calls itself. */
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
