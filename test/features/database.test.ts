import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Mssql } from "../../src/api/fields/mssql.ts";
import type { Mysql } from "../../src/api/fields/mysql.ts";
import type { Postgresql } from "../../src/api/fields/postgresql.ts";
import type { Content, Database } from "../../src/features/database/database.ts";
import { serverDatabase, tlsFiles } from "../../src/features/database/database-server.ts";
import { backendDatabase } from "../../src/features/database/index.ts";
import { referencesOf } from "../../src/features/references.ts";
import { resolve } from "../../src/features/resolve.ts";
import {
  all,
  deploymentOf,
  environmentOf,
  inputs,
  jobOf,
  postgresql,
  secret,
  secretText,
  server,
} from "../support/fixtures.ts";

const mysql: Mysql = { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "db" } };
const password = "p@:/%#?&'\" $\\x(){}*!ü";
const credentials = secret("db", { username: "us:er", password });

const mysqlServer = (more: Partial<Mysql> = {}) =>
  server({ backendStore: { mysql: { ...mysql, ...more } }, authentication: { none: {} } });
const postgresqlServer = (settings: Postgresql) => server({ backendStore: { postgresql: settings } });

function contentOf(values: Readonly<Record<string, string>>): Content {
  return { secrets: new Map([["db", secret("db", values)]]) };
}

function uriOf(of: ReturnType<typeof server>, values: Readonly<Record<string, string>> = { username: "u", password }) {
  return new URL(backendDatabase(of.spec).uri(contentOf(values)) ?? "missing:");
}

describe("MySQL", () => {
  test("a password with any characters is unchanged after parsing the URI", () => {
    const of = inputs(mysqlServer(), [credentials]);
    const uri = new URL(secretText(of, "demo-store", "backend-store-uri"));
    assert.equal(decodeURIComponent(uri.password), password);
    assert.equal(decodeURIComponent(uri.username), "us:er");
    assert.equal(
      `${uri.protocol}//${uri.host}${uri.pathname}${uri.search}`,
      "mysql+pymysql://db.example.com:3306/mlflow?charset=utf8mb4",
    );
  });

  test("only Secrets contain the password, and MLflow reads the URI from one", () => {
    const of = inputs(mysqlServer(), [credentials]);
    for (const object of all(of).filter(({ kind }) => kind !== "Secret")) {
      const text = JSON.stringify(object);
      for (const value of [password, encodeURIComponent(password)]) assert.ok(!text.includes(value), object.kind);
    }
    const [container] = deploymentOf(of).spec.template.spec?.containers ?? [];
    const variable = container?.env?.find(({ name }) => name === "MLFLOW_BACKEND_STORE_URI");
    assert.deepEqual(variable?.valueFrom?.secretKeyRef, { name: "demo-store", key: "backend-store-uri" });
  });

  const ca = { configMapRef: { name: "ca" } };
  const client = { name: "client" };
  const caPath = "/etc/mlflow/ca/tracking/ca.crt";
  const publicCas = "/etc/ssl/certs/ca-certificates.crt";
  const files = { ssl_cert: "/etc/mlflow/client/tracking/tls.crt", ssl_key: "/etc/mlflow/client/tracking/tls.key" };
  const modes: readonly [NonNullable<Mysql["tls"]>, Readonly<Record<string, string>>][] = [
    [{}, {}],
    [{ mode: "Disabled" }, { ssl_disabled: "true" }],
    [{ mode: "Preferred" }, {}],
    [{ mode: "Required" }, { ssl_check_hostname: "false" }],
    [{ mode: "VerifyCA" }, { ssl_ca: publicCas, ssl_check_hostname: "false" }],
    [
      { mode: "VerifyCA", ca },
      { ssl_ca: caPath, ssl_check_hostname: "false" },
    ],
    [{ mode: "VerifyIdentity" }, { ssl_ca: publicCas }],
    [{ ca }, { ssl_ca: caPath }],
    [{ clientCertificateSecretRef: client }, { ssl_ca: publicCas, ...files }],
    [
      { mode: "Required", clientCertificateSecretRef: client },
      { ssl_check_hostname: "false", ...files },
    ],
    [
      { ca, clientCertificateSecretRef: client },
      { ssl_ca: caPath, ...files },
    ],
  ];
  for (const [tls, parameters] of modes)
    test(`tls: ${JSON.stringify(tls)} becomes ${JSON.stringify(parameters)} in the URI`, () => {
      const { charset, ...others } = Object.fromEntries(uriOf(mysqlServer({ tls })).searchParams);
      assert.equal(charset, "utf8mb4");
      assert.deepEqual(others, parameters);
      const job = environmentOf(jobOf(inputs(mysqlServer({ tls }), [credentials])));
      assert.deepEqual(Object.fromEntries(new URLSearchParams(job["TRACKING_DATABASE_QUERY"])), {
        charset,
        ...parameters,
      });
      assert.equal(job["TRACKING_DATABASE_DRIVER"], "mysql+pymysql");
    });

  test("pods and the migration have the CA bundle and the client certificate, readable for their group", () => {
    const of = inputs(mysqlServer({ tls: { ca, clientCertificateSecretRef: client } }), [credentials]);
    for (const pod of [deploymentOf(of).spec.template.spec, jobOf(of).spec.template.spec]) {
      const volumes = new Map(pod?.volumes?.map((volume) => [volume.name, volume]));
      assert.equal(volumes.get("ca-tracking")?.configMap?.name, "ca");
      assert.deepEqual(volumes.get("client-tracking")?.secret, {
        secretName: "client",
        items: [
          { key: "tls.crt", path: "tls.crt" },
          { key: "tls.key", path: "tls.key" },
        ],
        defaultMode: 0o440,
      });
    }
  });

  test("MLflow's own variables for TLS cannot be set: they replace the settings of the URI and verify nothing", () => {
    const environment = environmentOf(deploymentOf(inputs(mysqlServer(), [credentials])));
    for (const name of ["CA", "CERT", "KEY"]) assert.equal(environment[`MLFLOW_MYSQL_SSL_${name}`], "");
  });
});

describe("SQL Server", () => {
  const mssql: Mssql = { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "db" } };
  const mssqlServer = (more: Partial<Mssql> = {}) =>
    server({ backendStore: { mssql: { ...mssql, ...more } }, authentication: { none: {} } });

  for (const [encryption, expected] of [
    [undefined, "require"],
    ["request", "request"],
  ] as const)
    test(`encryption: ${encryption} becomes ${expected} in the URI and for the migration, with a protocol that has TLS`, () => {
      const of = inputs(mssqlServer({ encryption }), [credentials]);
      const uri = new URL(secretText(of, "demo-store", "backend-store-uri"));
      assert.equal(decodeURIComponent(uri.password), password);
      const query = `encryption=${expected}&tds_version=7.4`;
      assert.equal(
        `${uri.protocol}//${uri.host}${uri.pathname}${uri.search}`,
        `mssql+pymssql://db.example.com:1433/mlflow?${query}`,
      );
      const job = environmentOf(jobOf(of));
      assert.equal(job["TRACKING_DATABASE_DRIVER"], "mssql+pymssql");
      assert.equal(job["TRACKING_DATABASE_QUERY"], query);
      assert.deepEqual(resolve(of).egressPorts, [1433]);
    });

  test("a backup cannot contain it, by fields and by a URI", () => {
    const byUri = server({ backendStore: { uriSecretRef: { name: "uri", key: "uri" } } });
    const hasBackups = (of: ReturnType<typeof server>, uri = "") => {
      const found = inputs(of, [credentials, secret("uri", { uri })]);
      return resolve(found).database.hasBackups(found.references);
    };
    assert.equal(hasBackups(mssqlServer()), false);
    assert.equal(hasBackups(byUri, "mssql+pymssql://u:p@db/mlflow"), false);
    for (const each of [mysqlServer(), server(), postgresqlServer(postgresql)]) assert.equal(hasBackups(each), true);
    assert.equal(hasBackups(byUri, "postgresql+psycopg2://u:p@db/mssql"), true);
  });
});

describe("a database whose address is in the Secret", () => {
  const credentialsSecretRef = { name: "db", hostKey: "host", portKey: "port", databaseKey: "dbname" };
  const right = { username: "app", password: "secret", host: "cluster-rw", port: "6432", dbname: "app" };
  const kinds = {
    postgresql: postgresqlServer({ credentialsSecretRef }),
    mysql: server({ backendStore: { mysql: { credentialsSecretRef } }, authentication: { none: {} } }),
    mssql: server({ backendStore: { mssql: { credentialsSecretRef } }, authentication: { none: {} } }),
  };
  for (const [kind, of] of Object.entries(kinds)) {
    test(`${kind}: the URI and the open port come from the Secret, and the migration reads it`, () => {
      const { host, pathname } = uriOf(of, right);
      assert.equal(`${host}${pathname}`, "cluster-rw:6432/app");
      const found = inputs(of, [secret("db", right)]);
      assert.deepEqual(resolve(found).egressPorts, [6432]);
      const [migrate] = jobOf(found).spec.template.spec?.containers ?? [];
      const keys = (migrate?.env ?? []).flatMap(({ name, valueFrom }) =>
        name.startsWith("TRACKING_DATABASE_") && valueFrom?.secretKeyRef ? [valueFrom.secretKeyRef.key] : [],
      );
      assert.deepEqual(keys.sort(), ["dbname", "host", "password", "port", "username"]);
    });

    test(`${kind}: another address is another database, and another password is not`, () => {
      const nameWith = (values: object) => jobOf(inputs(of, [secret("db", { ...right, ...values })])).metadata.name;
      assert.equal(nameWith({ password: "other", username: "other" }), nameWith({}));
      for (const change of [{ host: "other" }, { port: "5432" }, { dbname: "other" }])
        assert.notEqual(nameWith(change), nameWith({}), JSON.stringify(change));
    });

    const wrong: Readonly<Record<string, readonly [key: string, value: string, says: RegExp]>> = {
      "a host with a port": ["host", "wrong.example:5432", /key host of Secret db is not a host name or address/],
      "a host with a line break": ["host", "wrong.example\n", /key host of Secret db is not a host name or address/],
      "a URL": ["host", "https://wrong.example", /name another key in hostKey/],
      "an empty host": ["host", "", /key host .* is not a host name/],
      "a port that is a word": ["port", "five", /key port of Secret db is not a port from 1 to 65535/],
      "a port of 0": ["port", "0", /is not a port/],
      "a port with a line break": ["port", "5432\n", /is not a port/],
      "an empty database": ["dbname", "", /key dbname of Secret db is empty/],
      "a database with a line break": ["dbname", "app\n", /write the name of the database without one/],
    };
    for (const [title, [key, value, says]] of Object.entries(wrong))
      test(`${kind}: ${title} is reported with the key, without the value`, () => {
        const content = contentOf({ ...right, [key]: value });
        const [problem = "", ...others] = backendDatabase(of.spec).problems(content);
        assert.match(problem, says);
        assert.deepEqual(others, []);
        if (value.trim().length > 1) assert.ok(!problem.includes(value.trim()));
        assert.ok(
          backendDatabase(of.spec)
            .egressPorts(content)
            .every((port) => port > 0 && port <= 65_535),
        );
      });

    test(`${kind}: keys of the address are required like those of the credentials`, () => {
      const [reference] = referencesOf(of.spec);
      assert.deepEqual(reference?.keys, ["username", "password", "host", "port", "dbname"]);
    });
  }
});

describe("PostgreSQL", () => {
  test("a client certificate and a search path are parameters of libpq", () => {
    const of = postgresqlServer({
      ...postgresql,
      clientCertificateSecretRef: { name: "client" },
      searchPath: "mlflow,public",
    });
    const { searchParams } = uriOf(of);
    assert.deepEqual(Object.fromEntries(searchParams), {
      sslmode: "prefer",
      sslcert: "/etc/mlflow/client/tracking/tls.crt",
      sslkey: "/etc/mlflow/client/tracking/tls.key",
      options: "-csearch_path=mlflow,public",
    });
  });

  test("another search path is another database", () => {
    const nameWith = (more: object) =>
      jobOf(inputs(postgresqlServer({ ...postgresql, ...more }), [credentials])).metadata.name;
    assert.notEqual(nameWith({ searchPath: "mlflow" }), nameWith({}));
    assert.notEqual(nameWith({ searchPath: "mlflow" }), nameWith({ searchPath: "other" }));
  });

  test("a client certificate that does not fit its key is reported", () => {
    const of = backendDatabase(
      postgresqlServer({ ...postgresql, clientCertificateSecretRef: { name: "client" } }).spec,
    );
    const secrets = new Map([["client", secret("client", { "tls.crt": "no", "tls.key": "no" })]]);
    assert.match(of.problems({ secrets }).join(), /Secret client: tls.crt and tls.key must be a certificate/);
  });
});

describe("a read replica", () => {
  for (const [kind, of, port] of [
    ["postgresql", postgresqlServer({ ...postgresql, port: 6432, readReplica: { host: "db-ro" } }), 5432],
    ["mysql", mysqlServer({ readReplica: { host: "db-ro", port: 3307 } }), 3307],
  ] as const)
    test(`${kind}: MLflow reads from it with the same user, database and TLS`, () => {
      const found = inputs(of, [credentials]);
      const [uri, replica] = ["backend-store-uri", "read-replica-uri"].map(
        (key) => new URL(secretText(found, "demo-store", key)),
      );
      assert.equal(replica?.host, `db-ro:${port}`);
      assert.deepEqual(
        [replica?.password, replica?.pathname, replica?.search],
        [uri?.password, uri?.pathname, uri?.search],
      );
      const [container] = deploymentOf(found).spec.template.spec?.containers ?? [];
      const variables = container?.env?.filter(({ name }) => name === "MLFLOW_READ_REPLICA_BACKEND_STORE_URI");
      assert.deepEqual(
        variables?.map(({ valueFrom }) => valueFrom?.secretKeyRef?.key),
        ["read-replica-uri"],
      );
      assert.ok(resolve(found).egressPorts.includes(port));
    });

  test("without one the variable is empty", () => {
    const environment = environmentOf(deploymentOf(inputs(mysqlServer(), [credentials])));
    assert.equal(environment["MLFLOW_READ_REPLICA_BACKEND_STORE_URI"], "");
  });
});

describe("users of basic authentication", () => {
  for (const uri of ["mysql+pymysql://u:p@db/mlflow", "mysql://u:p@db/mlflow", "mssql+pymssql://u:p@db/mlflow"])
    test(`are rejected in ${uri.split(":")[0]} by a URI, unless they have a database of their own`, () => {
      const messages = (basic: object) => {
        const of = server({ backendStore: { uriSecretRef: { name: "uri", key: "uri" } }, authentication: { basic } });
        const found = inputs(of, [secret("uri", { uri }), credentials]);
        return resolve(found).authentication.users?.database.problems(found.references) ?? ["no users"];
      };
      assert.match(messages({}).join(), /key uri of Secret uri is the URI of a database in which MLflow cannot create/);
      assert.deepEqual(messages({ database: { postgresql } }), []);
    });
});

describe("a new kind of database server", () => {
  test("is one call: it has credentials, address, ports, checks and identity", () => {
    const place = { path: "spec.backendStore.toy", role: "tracking" } as const;
    const toy: Database = serverDatabase({ ...mysql, host: "fd00::1" }, place, {
      displayName: "Toy",
      defaultPort: 4711,
      driver: "toy+driver",
      parameters: {},
      tls: tlsFiles(undefined, undefined, place.path, place),
    });
    const content = contentOf({ username: "u", password: "p" });
    assert.equal(toy.uri(content), "toy+driver://u:p@[fd00::1]:4711/mlflow");
    assert.deepEqual(toy.egressPorts(content), [4711]);
    assert.deepEqual(toy.problems(content), []);
    assert.deepEqual(
      toy.references.map(({ path }) => path),
      ["spec.backendStore.toy.credentialsSecretRef"],
    );
  });
});
