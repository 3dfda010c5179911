/** A realm as the comments of examples/oidc-keycloak.yaml and examples/keycloak-collector.yaml need it. */

export const realm = "ml";

/** The users, whose passwords are `of-<name>-1234567`, with their groups and realm roles. */
const users = {
  ada: ["mlflow-admin"],
  bob: ["mlflow"],
  eve: ["others"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type User = keyof typeof users;

export const passwordOf = (user: User) => `of-${user}-1234567`;
export const secretOf = (client: string) => `of-the-client-${client}`;

const groups = ["mlflow", "mlflow-admin", "others"];

const groupMembership = {
  name: "groups",
  protocol: "openid-connect",
  protocolMapper: "oidc-group-membership-mapper",
  config: {
    "claim.name": "groups",
    "full.path": "false",
    "id.token.claim": "true",
    "access.token.claim": "true",
    "userinfo.token.claim": "true",
  },
};

const audience = {
  name: "audience",
  protocol: "openid-connect",
  protocolMapper: "oidc-audience-mapper",
  config: { "included.client.audience": "mlflow", "access.token.claim": "true", "id.token.claim": "false" },
};

/** Keycloak has realm roles in access tokens only, unless a mapper puts them into identity tokens. */
const realmRoles = {
  name: "realm roles",
  protocol: "openid-connect",
  protocolMapper: "oidc-usermodel-realm-role-mapper",
  config: {
    "claim.name": "realm_access.roles",
    "jsonType.label": "String",
    multivalued: "true",
    "id.token.claim": "true",
    "access.token.claim": "true",
  },
};

/** What `POST /admin/realms` takes. `serverUrl`: the server as browsers see it. */
export function realmOf(serverUrl: string): object {
  const program = (clientId: string, mappers: readonly object[]) => ({
    clientId,
    secret: secretOf(clientId),
    serviceAccountsEnabled: true,
    standardFlowEnabled: false,
    protocolMappers: mappers,
  });
  const serviceAccount = (clientId: string, group: string) => ({
    username: `service-account-${clientId}`,
    serviceAccountClientId: clientId,
    enabled: true,
    groups: [`/${group}`],
  });
  return {
    realm,
    enabled: true,
    groups: groups.map((name) => ({ name })),
    roles: { realm: groups.map((name) => ({ name })) },
    clients: [
      {
        clientId: "mlflow",
        secret: secretOf("mlflow"),
        serviceAccountsEnabled: true,
        redirectUris: [`${serverUrl}/callback`],
        attributes: {
          "pkce.code.challenge.method": "S256",
          "post.logout.redirect.uris": `${serverUrl}/oidc/ui/auth`,
        },
        protocolMappers: [groupMembership, audience, realmRoles],
      },
      program("otel-collector", [groupMembership, audience]),
      program("no-audience", [groupMembership]),
      program("no-group", [groupMembership, audience]),
    ],
    users: [
      ...Object.entries(users).map(([username, groups]) => ({
        username,
        enabled: true,
        email: `${username}@example.com`,
        emailVerified: false,
        firstName: username,
        lastName: "Example",
        credentials: [{ type: "password", value: `of-${username}-1234567` }],
        groups: groups.map((group) => `/${group}`),
        realmRoles: groups,
      })),
      serviceAccount("mlflow", "mlflow"),
      serviceAccount("otel-collector", "mlflow"),
      serviceAccount("no-audience", "mlflow"),
      serviceAccount("no-group", "others"),
    ],
  };
}
