import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { V1EnvVar } from "@kubernetes/client-node";
import type { DirectoryServer } from "./directory-server.ts";
import type { Login } from "./live-fixture.ts";

/** What the templates of the community chart make of the values of an authentication method. */
export interface ChartAuthentication {
  readonly values: Readonly<Record<string, unknown>>;
  /** The path of MLflow's configuration, and its content: an init container of the chart makes it of a template and of Secrets. */
  readonly configPath: string;
  readonly ini: string;
  readonly env: readonly V1EnvVar[];
  /** Variables in the Secret of the chart. */
  readonly secretVariables: Readonly<Record<string, string>>;
  /** Additional files by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** The administrator of a release with basic authentication. */
export const administrator: Login = { username: "admin-of-chart", password: "of-the-admin-12345" };

/** Users with passwords, in a separate PostgreSQL database. */
export function basicAuthentication(database: Login): ChartAuthentication {
  const secretKeys = { usernameKey: "user", passwordKey: "pass" };
  return {
    values: {
      auth: {
        enabled: true,
        existingAdminSecret: { name: "chart-admin", ...secretKeys },
        defaultPermission: "NO_PERMISSIONS",
        postgres: {
          enabled: true,
          host: "postgresql",
          port: 5432,
          database: "chart_auth",
          existingSecret: { name: "chart-database", ...secretKeys },
        },
      },
    },
    configPath: "/etc/mlflow/auth/basic_auth.ini",
    ini: `[mlflow]
default_permission = NO_PERMISSIONS
database_uri = postgresql+psycopg2://${database.username}:${database.password}@postgresql:5432/chart_auth
admin_username = ${administrator.username}
admin_password = ${administrator.password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
`,
    env: [],
    secretVariables: {},
    files: {},
  };
}

/** Users of the directory. The chart keeps them, with their permissions, in a file in the working directory of the container. */
export function ldapAuthentication(directory: DirectoryServer): ChartAuthentication {
  const ldapAuth = {
    enabled: true,
    uri: directory.url.ldaps,
    tlsVerification: "required",
    lookupBind: "uid=%s,ou=people,dc=mlflow,dc=test",
    // With TLS, the function of the chart's image finds groups by an attribute, and not by their DNs.
    groupAttribute: "cn",
    groupAttributeKey: "attributes",
    searchBaseDistinguishedName: "ou=groups,dc=mlflow,dc=test",
    searchFilter: "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))",
    adminGroupDistinguishedName: "test-admin",
    userGroupDistinguishedName: "test-user",
    encodedTrustedCACertificate: Buffer.from(directory.ca).toString("base64"),
  };
  return {
    values: { ldapAuth },
    configPath: "/etc/mlflow/auth/ldap_basic_auth.ini",
    ini: `[mlflow]
default_permission = READ
database_uri = sqlite:///ldap_basic_auth.db
admin_username = fakeuser
admin_password = fakepassword
authorization_function = mlflowstack.auth.ldap:authenticate_request_basic_auth
`,
    env: [
      { name: "LDAP_CA", value: "/certs/ca.crt" },
      { name: "PYTHONPATH", value: "/image" },
    ],
    secretVariables: {
      LDAP_URI: ldapAuth.uri,
      LDAP_TLS_VERIFY: ldapAuth.tlsVerification,
      LDAP_LOOKUP_BIND: ldapAuth.lookupBind,
      LDAP_GROUP_ATTRIBUTE: ldapAuth.groupAttribute,
      LDAP_GROUP_ATTRIBUTE_KEY: ldapAuth.groupAttributeKey,
      LDAP_GROUP_SEARCH_BASE_DN: ldapAuth.searchBaseDistinguishedName,
      LDAP_GROUP_SEARCH_FILTER: ldapAuth.searchFilter,
      LDAP_GROUP_ADMIN_DN: ldapAuth.adminGroupDistinguishedName,
      LDAP_GROUP_USER_DN: ldapAuth.userGroupDistinguishedName,
    },
    files: {
      "/certs/ca.crt": directory.ca,
      "/image/mlflowstack/auth/ldap.py": readFileSync(join(import.meta.dirname, "chart-ldap.py"), "utf8"),
    },
  };
}
