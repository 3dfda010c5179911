import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { load } from "js-yaml";
import type { Chart } from "../../../src/cli/convert/chart.ts";
import { type Conversion, convertValues } from "../../../src/cli/convert/conversion.ts";
import { charts } from "../../../src/cli/convert/index.ts";
import { isValues, leavesOf, type Value, type Values, valuesBelow } from "../../../src/cli/convert/values.ts";

/** The values files of this folder by chart: those of real releases, and those that set every value that has a field. */
function valuesOf(chart: Chart): (readonly [file: string, values: Values])[] {
  return globSync(join(import.meta.dirname, `values/${chart.id}-*.yaml`)).map((path) => {
    const values = load(readFileSync(path, "utf8"));
    assert.ok(isValues(values));
    const below = path.includes("umbrella") ? valuesBelow(values, "mlflow") : values;
    assert.ok(below);
    return [basename(path), below] as const;
  });
}

const converted = (chart: Chart, values: Values): Conversion => convertValues(chart, values, { name: "mlflow" });
const resultOf = ({ manifest, secrets, report }: Conversion) =>
  JSON.stringify([manifest, secrets, report.filter(({ outcome }) => outcome === "unmapped")]);

/** The values without those of a row. The other keys keep their order, which the result can have. */
function without(values: Value, [first = "", ...rest]: readonly string[]): Value {
  if (first === "[]" && Array.isArray(values)) {
    return rest.length === 0 ? [] : values.map((item) => without(item, rest));
  }
  if (first === "*") return {};
  if (!isValues(values) || !(first in values)) return values;
  const entries = Object.entries(values);
  if (rest.length === 0 || rest[0] === "*") return Object.fromEntries(entries.filter(([key]) => key !== first));
  return Object.fromEntries(entries.map(([key, value]) => [key, key === first ? without(value, rest) : value]));
}

/** What the manifest has without these values as well: the chart's own default. */
const defaults: Readonly<Record<string, readonly string[]>> = { odh: ["storage.enabled"] };

describe("values of Helm charts", () => {
  for (const chart of charts) {
    const files = valuesOf(chart);

    test(`${chart.id}: each value that a row maps has an effect on the manifest or its Secrets`, () => {
      const dead = chart.rows
        .filter(({ outcome, fields }) => outcome !== "unmapped" && fields !== "")
        .filter(({ key }) => !defaults[chart.id]?.includes(key))
        .filter(({ key }) => !files.some(([, values]) => hasEffect(chart, values, key)));
      assert.deepEqual(
        dead.map(({ key }) => key),
        [],
      );
    });

    test(`${chart.id}: keys of the table are unique`, () => {
      const keys = chart.rows.map(({ key }) => key);
      assert.deepEqual(
        keys.filter((key, index) => keys.indexOf(key) !== index),
        [],
      );
    });

    test(`${chart.id}: each field of the table is one of the API`, () => {
      const spec = schemaOf();
      for (const { key, fields } of chart.rows) {
        for (const field of fields.split(" ").filter(Boolean)) assert.ok(hasField(spec, field), `${key}: ${field}`);
      }
    });

    for (const [file, values] of files) {
      test(`${file}: reports every value once, and keeps secrets out`, () => {
        const result = converted(chart, values);
        const keys = result.report.map(({ key }) => key);
        assert.equal(new Set(keys).size, keys.length);
        assert.ok(leavesOf(values).length >= keys.length);
        assert.doesNotMatch(JSON.stringify(result), /secret-of-/);
        const known = result.report.filter(({ note }) => note.includes("the chart has no such value"));
        if (!file.includes("wrong-keys")) assert.deepEqual(known, []);
      });
    }
  }

  const results = new Map<Values, Conversion>();

  function hasEffect(chart: Chart, values: Values, key: string): boolean {
    const result = results.get(values) ?? converted(chart, values);
    results.set(values, result);
    if (result.secrets.some(({ keys }) => namesKey(keys, key))) return true;
    const rest = without(values, key.replaceAll("[]", ".[]").split("."));
    assert.ok(isValues(rest));
    const isUnchanged = JSON.stringify(rest) === JSON.stringify(values);
    return !isUnchanged && resultOf(result) !== resultOf(converted(chart, rest));
  }
});

describe("converted manifests", () => {
  const community = charts[0] as Chart;
  const cases: readonly (readonly [name: string, file: string, problems: readonly RegExp[]])[] = [
    ["PostgreSQL and S3 by Secrets", "community-1-catalog-postgres-s3-secrets.yaml", []],
    ["values that the chart does not know", "community-3-terraform-template-wrong-keys.yaml", [/host/, /database/]],
    ["Google Cloud Storage", "community-5-basic-auth-ldap-oauth2proxy-hpa.yaml", []],
    ["a database of the sub-chart", "bitnami-1-flux-externals3-subchart-postgres.yaml", []],
    ["a chart that has the chart as its dependency", "bitnami-3-umbrella-wrapper.yaml", []],
    ["Google Cloud Storage by workload identity", "bitnami-5-gcs-azure-tls-hpa-pdb.yaml", [/MySQL/]],
    ["Google Cloud Storage by a location", "odh-gcs.yaml", []],
    ["Azure Blob Storage with a connection string", "community-azure.yaml", []],
    ["Azure Blob Storage with a key", "community-azure-key.yaml", []],
    ["Azure Blob Storage with a key in a Secret", "bitnami-azure.yaml", []],
    ["Azure Blob Storage by a location", "official-azure.yaml", []],
    ["a URI in a Secret and a volume", "official-1-openshift-postgres-pvc.yaml", []],
    ["the example of the chart", "official-3-example-sqlite-gc.yaml", []],
    ["workspaces", "official-4-production-tls-workspaces-eso.yaml", []],
    ["users with passwords", "community-basic.yaml", []],
    ["passwords in the values", "community-plain.yaml", []],
    ["a directory", "community-ldap.yaml", []],
    ["OpenID Connect", "community-oidc.yaml", []],
    ["oauth2-proxy", "community-proxy.yaml", []],
    ["Bitnami with everything", "bitnami-full.yaml", []],
    ["the official chart with everything", "official-full.yaml", []],
    ["Open Data Hub with everything", "odh-full.yaml", []],
    ["a load balancer with the host of an Ingress", "bitnami-load-balancer.yaml", []],
    ["ports of the nodes with the host of an Ingress", "bitnami-node-port.yaml", []],
    ["a load balancer and an Ingress", "official-load-balancer.yaml", []],
    ["a load balancer without the URL for clients", "community-load-balancer.yaml", [/exposure: .*externalURL/]],
    ["a load balancer of Open Data Hub without the URL", "odh-load-balancer.yaml", [/exposure: .*externalURL/]],
  ];
  for (const [name, file, problems] of cases) {
    test(`${name}: ${problems.length === 0 ? "the API accepts the manifest" : "what is missing is a problem"}`, () => {
      const chart = charts.find(({ id }) => file.startsWith(id)) ?? community;
      const values = valuesOf(chart).find(([each]) => each === file)?.[1];
      assert.ok(values);
      const result = converted(chart, values);
      assert.equal(result.problems.length, problems.length, result.problems.join("\n"));
      for (const [index, pattern] of problems.entries()) assert.match(result.problems[index] ?? "", pattern);
    });
  }

  test("SQL Server becomes fields, and a complete URL a key of a Secret", () => {
    const server = { enabled: true, host: "mssql", port: 1434, database: "mlflow", user: "mlflow", driver: "pyodbc" };
    const credentials = { name: "mssql", usernameKey: "user", passwordKey: "pass" };
    const storeOf = (mssql: Values, more: Values = {}) => {
      const { manifest, report } = converted(community, { backendStore: { databaseMigration: true, mssql, ...more } });
      assert.deepEqual(
        report.filter(({ outcome }) => outcome === "unmapped"),
        [],
      );
      return Object(manifest["spec"]).backendStore;
    };
    const fields = { host: "mssql", port: 1434, database: "mlflow" };
    assert.deepEqual(storeOf({ ...server, password: "of-mssql" }), {
      mssql: { ...fields, credentialsSecretRef: { name: "mlflow-database" } },
      migration: "Automatic",
    });
    assert.deepEqual(storeOf(server, { existingDatabaseSecret: credentials }).mssql, {
      ...fields,
      credentialsSecretRef: credentials,
    });
    const url = { enabled: true, connectionUrl: "mssql+pymssql://mlflow:of-url@mssql/mlflow" };
    assert.deepEqual(storeOf(url).uriSecretRef, { name: "mlflow-backend-store", key: "uri" });
  });

  test("MySQL becomes fields with the Secret that exists; users in it are a problem", () => {
    const credentials = { name: "mysql", usernameKey: "user", passwordKey: "pass" };
    const { manifest, problems, report } = converted(community, {
      backendStore: {
        databaseMigration: true,
        mysql: { enabled: true, host: "mysql.example.com", port: 3307, database: "mlflow", driver: "pymysql" },
        existingDatabaseSecret: credentials,
      },
      auth: { enabled: true },
    });
    const mysql = { host: "mysql.example.com", port: 3307, database: "mlflow", credentialsSecretRef: credentials };
    assert.deepEqual(Object(manifest["spec"]).backendStore, { mysql, migration: "Automatic" });
    assert.deepEqual(
      report.filter(({ outcome }) => outcome === "unmapped"),
      [],
    );
    assert.match(
      problems.join(),
      /MLflow cannot store users in SQL Server, and in MySQL only those of oidc: add a PostgreSQL database/,
    );
    const [, bitnami] = charts;
    assert.ok(bitnami);
    const other = converted(bitnami, {
      postgresql: { enabled: false },
      tracking: { auth: { enabled: false } },
      externalDatabase: {
        dialectDriver: "mysql+pymysql",
        host: "mysql",
        port: 3306,
        database: "runs",
        user: "u",
        password: "secret-of-mysql",
      },
    });
    assert.deepEqual(Object(other.manifest["spec"]).backendStore.mysql, {
      host: "mysql",
      port: 3306,
      database: "runs",
      credentialsSecretRef: { name: "mlflow-database" },
    });
    assert.deepEqual(other.problems, []);
  });

  test("a directory has the users and the permission of the chart, which ignores those of users with passwords", () => {
    const authenticationOf = (auth: Values) => {
      const ldapAuth = { enabled: true, uri: "ldaps://ldap.example.com", lookupBind: "uid=%s,dc=example,dc=com" };
      const { manifest, report } = converted(community, { ldapAuth, auth });
      const outcomes = report
        .filter(({ key }) => (key.startsWith("auth.") && key !== "auth.enabled") || key === "ldapAuth.enabled")
        .map(({ key, outcome }) => `${key} ${outcome}`);
      return [Object(manifest["spec"]).authentication, outcomes];
    };
    const more = { defaultPermission: "EDIT", postgres: { enabled: true, host: "users", database: "users" } };
    const [alone, ignored] = authenticationOf({ enabled: false, ...more });
    assert.deepEqual([alone.ldap.defaultPermission, alone.ldap.database], [undefined, undefined]);
    assert.deepEqual(
      ignored.filter((each: string) => !each.endsWith(" ignored")),
      ["ldapAuth.enabled changed"],
    );
    const authorizationFunction = "mlflowstack.auth.ldap:authenticate_request_basic_auth";
    const [named, mapped] = authenticationOf({ enabled: true, authorizationFunction, ...more });
    assert.equal(named.ldap.defaultPermission, "EDIT");
    assert.equal(named.ldap.database.postgresql.host, "users");
    assert.ok(mapped.includes("auth.authorizationFunction changed"));
    // An older version of the chart uses the configuration of users with passwords if both are enabled.
    const [both, unmapped] = authenticationOf({ enabled: true, ...more });
    assert.equal(both.basic.defaultPermission, "EDIT");
    assert.ok(unmapped.includes("ldapAuth.enabled unmapped"));
  });

  test("a HorizontalPodAutoscaler becomes autoscaling in place of replicas, by CPU usage", () => {
    const autoscalingOf = (file: string) => {
      const chart = charts.find(({ id }) => file.startsWith(id)) ?? community;
      const { manifest, report } = converted(chart, valuesOf(chart).find(([each]) => each === file)?.[1] ?? {});
      const { autoscaling, replicas } = Object(manifest["spec"]);
      const rows = report.filter(({ key, outcome }) => outcome === "unmapped" && key.includes("autoscaling"));
      return [autoscaling, replicas, rows.map(({ key }) => key)];
    };
    const memory = "autoscaling.metrics[0].resource";
    assert.deepEqual(autoscalingOf("bitnami-5-gcs-azure-tls-hpa-pdb.yaml"), [
      { minReplicas: 3, maxReplicas: 8, targetCPUUtilization: 75 },
      undefined,
      [],
    ]);
    assert.deepEqual(autoscalingOf("community-5-basic-auth-ldap-oauth2proxy-hpa.yaml"), [
      { minReplicas: 2, maxReplicas: 6 },
      undefined,
      [],
    ]);
    assert.deepEqual(autoscalingOf("community-azure.yaml"), [
      { maxReplicas: 5, targetCPUUtilization: 60 },
      undefined,
      ["autoscaling.metrics[0].type", `${memory}.name`, `${memory}.target.type`, `${memory}.target.averageUtilization`],
    ]);
  });

  test("a ServiceMonitor that the chart creates becomes monitoring", () => {
    const monitoringOf = (id: string, values: Values) => {
      const { manifest, report } = converted(charts.find((chart) => chart.id === id) ?? community, values);
      return [Object(manifest["spec"]).monitoring, report.map(({ key, outcome }) => [key, outcome])];
    };
    const serviceMonitor = { enabled: true, namespace: "observability" };
    assert.deepEqual(monitoringOf("community", { serviceMonitor: { ...serviceMonitor, interval: "30s" } }), [
      { namespace: "observability" },
      [
        ["serviceMonitor.enabled", "mapped"],
        ["serviceMonitor.namespace", "changed"],
        ["serviceMonitor.interval", "changed"],
      ],
    ]);
    const metrics = { enabled: true };
    const [ofBitnami] = monitoringOf("bitnami", { tracking: { metrics: { ...metrics, serviceMonitor } } });
    assert.deepEqual(ofBitnami, { namespace: "observability" });
    assert.deepEqual(monitoringOf("official", { metrics, serviceMonitor: { enabled: true } }), [
      { namespace: "monitoring" },
      [
        ["metrics.enabled", "changed"],
        ["serviceMonitor.enabled", "changed"],
      ],
    ]);
    assert.equal(monitoringOf("official", { serviceMonitor: { enabled: true } })[0], undefined);
    assert.equal(monitoringOf("bitnami", { tracking: { metrics: { serviceMonitor } } })[0], undefined);
  });

  test("the age of garbage is in the largest unit of which it is a whole number", () => {
    const official = charts.find(({ id }) => id === "official");
    assert.ok(official);
    const of = (garbageCollection: Values) =>
      Object(converted(official, { garbageCollection }).manifest["spec"]).garbageCollection;
    const enabled = { enabled: true, schedule: "@daily" };
    for (const [age, expected] of [
      ["30d", "720h"],
      ["1d12h", "36h"],
      ["1h30m", "90m"],
      ["1.5h1s", "5401s"],
    ] as const)
      assert.equal(of({ ...enabled, olderThan: age }).olderThan, expected);
    assert.deepEqual(of({ enabled: true }), { schedule: "0 2 * * 0" });
    assert.equal(of({ schedule: "@daily" }), undefined);
  });

  test("a HorizontalPodAutoscaler that the community chart does not create is left out", () => {
    const { manifest, report, problems } = converted(community, { replicaCount: 1, autoscaling: { enabled: true } });
    assert.equal(Object(manifest["spec"]).replicas, 1);
    assert.equal(Object(manifest["spec"]).autoscaling, undefined);
    assert.match(report.find(({ key }) => key === "autoscaling.enabled")?.note ?? "", /without a database server/);
    assert.deepEqual(problems, []);
  });

  test("an annotation that the operator rejects is left out, and reported as not mapped", () => {
    const rejected = {
      "nginx.ingress.kubernetes.io/configuration-snippet": "x",
      "nginx.ingress.kubernetes.io/auth-tls-secret": "other/secret",
      "nginx.ingress.kubernetes.io/proxy-redirect-from": "a; return 200",
      "haproxy.org/request-mirror": "off",
    };
    for (const [chart, at] of [
      [charts[0], ["ingress"]],
      [charts[1], ["tracking", "ingress"]],
      [charts[2], ["ingress"]],
    ] as const) {
      assert.ok(chart);
      const ingress = { enabled: true, annotations: { ...rejected, "example.com/a": "y" } };
      const values = at.reduceRight<Value>((below, key) => ({ [key]: below }), ingress);
      assert.ok(isValues(values));
      const { manifest, report } = converted(chart, values);
      assert.doesNotMatch(JSON.stringify(manifest), /configuration-snippet|auth-tls-secret|return 200/);
      assert.deepEqual(
        report.filter(({ key }) => key.includes("annotations")).map(({ outcome }) => outcome),
        ["unmapped", "unmapped", "unmapped", "mapped", "mapped"],
        chart.id,
      );
    }
  });

  test("Bitnami without persistence gets a volume, and a note reports it", () => {
    const bitnami = charts.find(({ id }) => id === "bitnami") as Chart;
    const values = valuesOf(bitnami).find(([file]) => file === "bitnami-no-volume.yaml")?.[1];
    assert.ok(values);
    const { manifest, report } = converted(bitnami, values);
    assert.deepEqual(Object(manifest["spec"]).artifactStore, { persistentVolume: {} });
    const row = report.find(({ key }) => key === "tracking.persistence.enabled");
    assert.equal(row?.outcome, "changed");
    assert.match(row.note, /always keeps them on a volume/);
  });

  test("a value of the wrong type, an unknown one and one that is switched off are distinguished", () => {
    const { report } = converted(community, {
      auth: { enabled: false, adminPassword: "long-enough-password" },
      backendStore: { postgres: { enabled: true, host: { valueFrom: "x" } } },
      artifactRoot: { s3: { awsRegion: "eu" } },
      externalDatabase: { host: "db" },
    });
    const byKey = Object.fromEntries(report.map((row) => [row.key, row]));
    assert.equal(byKey["auth.adminPassword"]?.outcome, "ignored");
    assert.match(byKey["auth.adminPassword"]?.note ?? "", /auth.enabled is false/);
    assert.match(byKey["backendStore.postgres.host.valueFrom"]?.note ?? "", /expects text/);
    assert.match(byKey["artifactRoot.s3.awsRegion"]?.note ?? "", /no such value/);
    assert.match(byKey["externalDatabase.host"]?.note ?? "", /it has backendStore.postgres.host/);
    assert.ok(report.filter(({ outcome }) => outcome === "unmapped").length === 3);
  });
});

/** Whether a Secret to create has this key as the source of one of its values. */
const namesKey = (keys: Readonly<Record<string, string>>, key: string): boolean =>
  Object.values(keys).some((from) => from.split(/[ ,]/u).includes(key));

function schemaOf(): Schema {
  const definition = load(readFileSync("crds/mlflowservers.yaml", "utf8")) as {
    spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: Schema } } } }[] };
  };
  const spec = definition.spec.versions[0]?.schema.openAPIV3Schema.properties.spec;
  assert.ok(spec);
  return spec;
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

function hasField(schema: Schema, field: string): boolean {
  let place: Schema | undefined = schema;
  for (const key of field.split(".")) place = place?.properties?.[key];
  return place !== undefined;
}
