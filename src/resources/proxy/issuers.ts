import type { Inputs } from "../inputs.ts";

/** An issuer of tokens that are taken, and the field of the spec that names it. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly path: string;
}

/** The issuers whose tokens are taken: first the one where people sign in. */
export function issuersOf({ server, installation }: Pick<Inputs, "server" | "installation">): TokenIssuer[] {
  const { proxy } = server.spec;
  if (proxy === undefined) return [];
  const { issuerUrl, clientId, extraJwtIssuers = [], acceptServiceAccountTokens } = proxy;
  const path = "spec.proxy";
  const ofCluster =
    acceptServiceAccountTokens?.issuer ?? `https://kubernetes.default.svc.${installation.clusterDomain}`;
  return [
    { issuer: issuerUrl, audience: clientId, path: `${path}.issuerUrl` },
    ...extraJwtIssuers.map((entry, index) => {
      const [issuer = "", audience = ""] = entry.split("=");
      return { issuer, audience, path: `${path}.extraJwtIssuers[${index}]` };
    }),
    ...(acceptServiceAccountTokens === undefined
      ? []
      : [
          {
            issuer: ofCluster,
            audience: acceptServiceAccountTokens.audience ?? ofCluster,
            path: `${path}.acceptServiceAccountTokens`,
          },
        ]),
  ];
}
