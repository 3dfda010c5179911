import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { directoryUrl } from "./directory.ts";
import { userPrefix } from "./kubernetes.ts";

/** How a client authenticates. */
type Credential = "none" | "password" | "token" | "session";

/** A row of the tables: a server and how its client authenticates. */
export interface MeasuredClient {
  readonly name: string;
  readonly credential: Credential;
}

/** What a spec refers to. */
export interface Addresses {
  readonly issuerUrl: string;
  /** The port of the server for clients. */
  readonly port: number;
  readonly directoryPort: number;
}

/** A server with an authentication method. */
export interface Method {
  readonly name: string;
  /** MLflow as its image starts it, with the same settings and without the operator. */
  readonly isPlain?: boolean;
  readonly spec: (addresses: Addresses) => Partial<MlflowServerSpec> & Pick<MlflowServerSpec, "authentication">;
  readonly clients: readonly MeasuredClient[];
}

export const clientID = "mlflow";

/** The user of the issuer; its name is valid for each method. */
export const person = { login: "bench", password: "of-the-person", groups: ["users"] };

/** The user of basic authentication. Grants of `spec.access` allow the names of its experiments. */
export const user = { username: "bench", password: "password-of-the-bench" };

/** The user of the directory in test/cluster/images/slapd/directory.ldif. */
export const directoryUser = { username: "bob", password: "of-bob-1234567" };

/** The path prefix of the method `prefix`. */
export const prefix = "/clusters/c1/mlflow";

const plain: Method = {
  name: "plain",
  isPlain: true,
  spec: () => ({ authentication: { none: {} } }),
  clients: [{ name: "plain", credential: "none" }],
};

export const none: Method = { ...plain, name: "none", isPlain: false, clients: [{ name: "none", credential: "none" }] };

const oauth2Proxy: Method = {
  name: "oauth2-proxy",
  spec: (addresses) => ({ authentication: { oauth2Proxy: proxy(addresses, { allAuthenticatedUsers: {} }) } }),
  clients: [
    { name: "oauth2-proxy, token", credential: "token" },
    { name: "oauth2-proxy, session", credential: "session" },
  ],
};

/** All methods. The first one is the base of the ratios. */
export const methods: readonly Method[] = [
  plain,
  none,
  {
    name: "prefix",
    spec: () => ({
      authentication: { none: {} },
      exposure: { externalURL: `https://platform.example.com${prefix}` },
    }),
    clients: [{ name: "none, with a path prefix", credential: "none" }],
  },
  {
    name: "basic",
    spec: () => ({ authentication: { basic: {} } }),
    clients: [{ name: "basic", credential: "password" }],
  },
  {
    name: "access",
    spec: () => ({
      authentication: { basic: { defaultPermission: "NO_PERMISSIONS" as const } },
      access: ["other", user.username].map((name) => ({
        permission: "EDIT" as const,
        subjects: [{ kind: "User" as const, name }],
        experiments: [`${name}-*`],
        registeredModels: [`${name}-*`],
      })),
    }),
    clients: [{ name: "basic, with spec.access", credential: "password" }],
  },
  {
    name: "ldap",
    spec: ({ directoryPort }) => ({
      authentication: {
        ldap: {
          url: directoryUrl(directoryPort),
          ca: { configMapRef: { name: "ldap-ca" } },
          userBind: "uid=%s,ou=people,dc=mlflow,dc=test",
          groups: {
            searchBase: "ou=groups,dc=mlflow,dc=test",
            filter: "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))",
            admin: "cn=test-admin,ou=groups,dc=mlflow,dc=test",
            user: "cn=test-user,ou=groups,dc=mlflow,dc=test",
          },
        },
      },
    }),
    clients: [{ name: "ldap", credential: "password" }],
  },
  {
    name: "oidc",
    spec: ({ issuerUrl, port }) => ({
      authentication: {
        oidc: {
          discoveryURL: `${issuerUrl}/.well-known/openid-configuration`,
          clientID,
          clientSecretRef: { name: "client", key: "secret" },
          scopes: ["openid", "email", "profile", "groups"],
          redirectURL: `http://localhost:${port}/callback`,
          ca: { configMapRef: { name: "issuer-ca" } },
          userGroup: "users",
          adminGroup: "admins",
        },
      },
    }),
    clients: [
      { name: "oidc, token", credential: "token" },
      { name: "oidc, session", credential: "session" },
    ],
  },
  oauth2Proxy,
  {
    name: "self-review",
    spec: (addresses) => ({
      authentication: {
        oauth2Proxy: proxy(addresses, { kubernetes: { accessReview: "SelfSubjectAccessReview" as const } }),
      },
    }),
    clients: [{ name: "oauth2-proxy + SelfSubjectAccessReview", credential: "token" }],
  },
  {
    name: "review-by-name",
    spec: (addresses) => ({
      authentication: {
        oauth2Proxy: proxy(addresses, {
          kubernetes: { accessReview: "SubjectAccessReview" as const, usernamePrefix: userPrefix },
        }),
      },
    }),
    clients: [{ name: "oauth2-proxy + SubjectAccessReview", credential: "token" }],
  },
];

type Proxy = NonNullable<MlflowServerSpec["authentication"]["oauth2Proxy"]>;

function proxy({ issuerUrl, port }: Addresses, authorization: Proxy["authorization"]): Proxy {
  return {
    issuerURL: issuerUrl,
    clientID,
    clientSecretRef: { name: "client", key: "secret" },
    ca: { configMapRef: { name: "issuer-ca" } },
    redirectURL: `http://localhost:${port}/oauth2/callback`,
    authorization,
  };
}
