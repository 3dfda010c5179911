import {
  ldapSearch,
  mssqlFromSecret,
  mssqlInFull,
  mysqlFromSecret,
  mysqlInFull,
  postgresqlFromSecret,
} from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const onMysql = wrong(mysqlInFull);
const onMssql = wrong(mssqlInFull);
const inSecret = wrong(postgresqlFromSecret);
const mysql = "spec.backendStore.mysql";
const mssql = "spec.backendStore.mssql";
const postgresql = "spec.backendStore.postgresql";
const users = "spec.authentication.basic.database.postgresql";

const credentials = { name: "db" };
const server = { host: "db", database: "mlflow", credentialsSecretRef: credentials };

/** Wrong settings of databases. */
export const wrongDatabases: readonly Wrong[] = [
  onMysql(
    "two databases",
    { "spec.backendStore.sqlite": {} },
    "spec.backendStore",
    "exactly one of sqlite, postgresql, mysql",
  ),
  ...[postgresql, users].flatMap((field) => [
    inSecret(
      `no host in ${field}`,
      { [`${field}.credentialsSecretRef`]: { ...credentials, databaseKey: "d" } },
      field,
      "set host or credentialsSecretRef.hostKey, not both",
    ),
    inSecret(
      `two hosts in ${field}`,
      { [`${field}.host`]: "db" },
      field,
      "set host or credentialsSecretRef.hostKey, not both",
    ),
    inSecret(
      `no database in ${field}`,
      { [`${field}.credentialsSecretRef`]: { ...credentials, hostKey: "h" } },
      field,
      "set database or credentialsSecretRef.databaseKey, not both",
    ),
    inSecret(
      `two databases in ${field}`,
      { [`${field}.database`]: "mlflow" },
      field,
      "set database or credentialsSecretRef.databaseKey, not both",
    ),
    inSecret(
      `two ports in ${field}`,
      { [`${field}.port`]: 5432 },
      field,
      "set port or credentialsSecretRef.portKey, not both",
    ),
    inSecret(
      `a client certificate without TLS in ${field}`,
      { [`${field}.sslMode`]: "disable", [`${field}.ca`]: undefined },
      field,
      "use sslMode: verify-full",
    ),
    ...["mlflow, public", "Mlflow", '"$user"', "1st", "a;b", "a,"].map((path) =>
      inSecret(
        `the search path ${path} in ${field}`,
        { [`${field}.searchPath`]: path },
        `${field}.searchPath`,
        "such as mlflow or mlflow,public",
      ),
    ),
    inSecret(
      `a key of the host that is none in ${field}`,
      { [`${field}.credentialsSecretRef.hostKey`]: "a/b" },
      `${field}.credentialsSecretRef.hostKey`,
      "must be a data key",
    ),
  ]),
  inSecret(
    "a read replica without a host",
    { [`${postgresql}.readReplica`]: {} },
    `${postgresql}.readReplica.host`,
    "Required value",
  ),
  inSecret(
    "a read replica with a port in its host",
    { [`${postgresql}.readReplica.host`]: "db:5432" },
    `${postgresql}.readReplica.host`,
    "name or an address only",
  ),
  inSecret(
    "a read replica of the users",
    { [`${users}.readReplica`]: { host: "db" } },
    "",
    'unknown field "spec.authentication.basic.database.postgresql.readReplica"',
  ),
  ...["mysql://db.example.com", "db:3306", "user@db"].map((host) =>
    onMysql(
      `the host ${host} of MySQL`,
      { [`${mysql}.host`]: host },
      `${mysql}.host`,
      host.includes("@") ? "password or @" : "name or an address only",
    ),
  ),
  onMysql(
    "a name of a MySQL database that is too long",
    { [`${mysql}.database`]: "m".repeat(65) },
    `${mysql}.database`,
    "64",
  ),
  onMysql(
    "no credentials for MySQL",
    { [`${mysql}.credentialsSecretRef`]: undefined },
    `${mysql}.credentialsSecretRef`,
    "Required value",
  ),
  onMysql(
    "a mode of MySQL's command line",
    { [`${mysql}.tls.mode`]: "VERIFY_IDENTITY" },
    `${mysql}.tls.mode`,
    "VerifyIdentity",
  ),
  ...["Disabled", "Preferred", "Required"].map((mode) =>
    onMysql(
      `ca with mode ${mode}`,
      { [`${mysql}.tls.mode`]: mode, [`${mysql}.tls.clientCertificateSecretRef`]: undefined },
      `${mysql}.tls`,
      "set one of these, or leave out ca",
    ),
  ),
  ...["Disabled", "Preferred"].map((mode) =>
    onMysql(
      `a client certificate with mode ${mode}`,
      { [`${mysql}.tls`]: { mode, clientCertificateSecretRef: { name: "c" } } },
      `${mysql}.tls`,
      "use mode: VerifyIdentity, or leave out clientCertificateSecretRef",
    ),
  ),
  onMysql(
    "users of basic authentication in MySQL",
    { "spec.authentication": { basic: {} } },
    "spec.authentication",
    "add a PostgreSQL database for them",
  ),
  wrong(mysqlFromSecret)(
    "users of LDAP in MySQL",
    { "spec.authentication.ldap.database": undefined },
    "spec.authentication",
    "add a PostgreSQL database for them",
  ),
  ...(
    [
      ["basic", mssqlInFull, { "spec.authentication": { basic: {} } }],
      ["ldap", ldapSearch, { "spec.backendStore": { mssql: server }, "spec.authentication.ldap.database": undefined }],
      ["oidc", mssqlFromSecret, { "spec.authentication.oidc.database": undefined }],
    ] as const
  ).map(([method, base, changes]) =>
    wrong(base)(
      `users of ${method} in SQL Server`,
      changes,
      "spec.authentication",
      "MLflow cannot store users in SQL Server",
    ),
  ),
  onMssql(
    "a restore into SQL Server",
    { "spec.restore": { backupRef: { name: "nightly" } } },
    mssql,
    "leave out restore and upgrade.backup",
  ),
  onMssql(
    "a backup of SQL Server before a change of the version",
    { "spec.upgrade": { backup: { scheduleRef: { name: "nightly" } } } },
    mssql,
    "leave out restore and upgrade.backup",
  ),
  ...["off", "strict", "VerifyIdentity"].map((encryption) =>
    onMssql(
      `encryption: ${encryption}, which FreeTDS or the driver does not have or which sends the password as plain text`,
      { [`${mssql}.encryption`]: encryption },
      `${mssql}.encryption`,
      "require",
    ),
  ),
  onMssql(
    "no credentials for SQL Server",
    { [`${mssql}.credentialsSecretRef`]: undefined },
    `${mssql}.credentialsSecretRef`,
    "Required value",
  ),
  onMssql(
    "two addresses of SQL Server",
    { [`${mssql}.credentialsSecretRef.hostKey`]: "h" },
    mssql,
    "set host or credentialsSecretRef.hostKey, not both",
  ),
];
