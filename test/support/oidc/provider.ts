import { createHash } from "node:crypto";
import { Provider } from "oidc-provider";
import { claimsOf, type Person } from "./person.ts";
import type { SigningKey } from "./signing-key.ts";

/** A client of the issuer. */
export interface IssuerClient {
  readonly id: string;
  /** Undefined: a public client, which uses only PKCE. */
  readonly secret?: string;
  /** Redirect URIs: with them the grants authorization_code and refresh_token, without them client_credentials. */
  readonly redirectUris?: readonly string[];
  /** Groups in tokens for client credentials. */
  readonly groups?: readonly string[];
  /** The email claim in them. Default: none, as with most issuers. */
  readonly email?: string;
  /** Audience of those tokens. Default: the client ID. */
  readonly audience?: string;
}

export interface ProviderOptions {
  readonly url: string;
  readonly clients: readonly IssuerClient[];
  readonly people: readonly Person[];
  /** The first one signs. */
  readonly keys: readonly SigningKey[];
  /** Lifetime of identity and access tokens. */
  readonly tokenSeconds: number;
}

/**
 * The issuer: authorization code with PKCE (required), refresh tokens (rotated, with or without `offline_access`), client
 * credentials (JWT access tokens) and userinfo. It shows no consent page, and ID tokens contain the claims of the requested
 * scopes (email, profile, groups), as with Dex and Keycloak.
 */
export function provider({ url, clients, people, keys, tokenSeconds }: ProviderOptions): Provider {
  const issuer = new Provider(url, {
    jwks: { keys: keys.map(({ jwk }) => jwk) },
    clients: clients.map(({ id, secret, redirectUris }) => ({
      client_id: id,
      ...(secret === undefined ? { token_endpoint_auth_method: "none" as const } : { client_secret: secret }),
      redirect_uris: [...(redirectUris ?? [])],
      response_types: redirectUris === undefined ? [] : ["code" as const],
      grant_types: redirectUris === undefined ? ["client_credentials"] : ["authorization_code", "refresh_token"],
    })),
    cookies: { keys: [createHash("sha256").update(url).digest("hex")] },
    scopes: ["openid", "offline_access", "email", "profile", "groups"],
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "preferred_username"],
      groups: ["groups"],
    },
    conformIdTokenClaims: false,
    findAccount: (_, subject) => {
      const person = people.find((each) => claimsOf(each).sub === subject);
      return person && { accountId: subject, claims: () => claimsOf(person) };
    },
    pkce: { required: () => true },
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    ttl: {
      AccessToken: tokenSeconds,
      ClientCredentials: tokenSeconds,
      IdToken: tokenSeconds,
      Interaction: 600,
      Grant: 86_400,
      Session: 86_400,
      RefreshToken: 86_400,
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    loadExistingGrant: async ({ oidc }) => {
      const { client, session, params, provider } = oidc;
      const grant = new provider.Grant({ clientId: client?.clientId ?? "", accountId: session?.accountId ?? "" });
      grant.addOIDCScope(String(params?.["scope"] ?? "openid"));
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Only client credentials get a JWT: other access tokens are for the userinfo endpoint.
        defaultResource: ({ oidc }) => (oidc.params?.["grant_type"] === "client_credentials" ? `${url}/itself` : []),
        useGrantedResource: () => true,
        getResourceServerInfo: (_, __, { clientId }) => ({
          scope: "",
          audience: clients.find(({ id }) => id === clientId)?.audience ?? clientId,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    extraTokenClaims: (_, token) => {
      const client = clients.find(({ id }) => id === token.clientId);
      const { groups, email } = client ?? {};
      return { ...(groups && { groups: [...groups] }), ...(email !== undefined && { email, email_verified: true }) };
    },
  });
  return issuer;
}
