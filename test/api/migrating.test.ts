import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadAll } from "js-yaml";
import { resourceSchema } from "../../src/api/resource-schema.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import { isObject } from "../../src/api/structure.ts";
import { validate } from "../../src/api/validation.ts";
import { port } from "../../src/model/names.ts";
import { all, deploymentOf, environmentOf, inputs, secret, secretText } from "../support/fixtures.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/migrating-from-helm.md"), "utf8");
const documents = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].flatMap(([, text = ""]) => loadAll(text));

const databases = [
  secret("mlflow-database", { username: "mlflowuser", password: "Pa33w0rd!" }),
  secret("mlflow-auth-database", { username: "mlflowauth", password: "A4m1nPa33w0rd!" }),
];

/** The fields in the second column of the tables, row by row. */
const fieldsByRow = page
  .split("\n## Not yet")[0]
  ?.split("\n")
  .filter((line) => /^\| .* \| /.test(line) && !line.startsWith("| value |"))
  .map((line) => [...(line.split(" | ")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, field = ""]) => field));

describe("the page about migrating from Helm charts", () => {
  test("names a field in each row, and only existing fields", () => {
    const rows = fieldsByRow ?? [];
    assert.ok(rows.length > 20, `only ${rows.length} rows have been found`);
    for (const fields of rows) {
      assert.ok(fields.length > 0, "a row names no field");
      for (const field of fields) assert.ok(exists(field), `there is no spec.${field}`);
    }
  });

  test("has manifests that are valid", () => {
    assert.equal(documents.filter(isServer).length, 2);
    for (const document of documents.filter(isServer)) assert.ok("server" in validate(document), problemsOf(document));
  });

  test("accepts an administrator's Secret with other key names", () => {
    const admin = secret("mlflow-auth", { "admin-user": "ada", "admin-password": "long-enough-password" });
    const environment = environmentOf(deploymentOf(inputs(serverNamed("mlflow-simple"), [admin])));
    assert.equal(environment["MLFLOW_AUTH_ADMIN_USERNAME"], "mlflow-auth/admin-user");
    assert.equal(environment["MLFLOW_AUTH_ADMIN_PASSWORD"], "mlflow-auth/admin-password");
  });

  test("maps both databases, the bucket and the log level", () => {
    const of = inputs(serverNamed("mlflow"), databases);
    const tracking = new URL(secretText(of, "mlflow-store", "backend-store-uri"));
    assert.deepEqual([tracking.username, tracking.pathname], ["mlflowuser", "/mlflow"]);
    const ini = secretText(of, "mlflow-auth-config", "basic_auth.ini");
    assert.match(
      ini,
      /^database_uri = postgresql\+psycopg2:\/\/mlflowauth:A4m1nPa33w0rd%%21@mlflow-auth\.\S+\/auth\?/m,
    );
    assert.match(ini, /^default_permission = READ$/m);
    const environment = environmentOf(deploymentOf(of));
    assert.equal(environment["MLFLOW_ARTIFACTS_DESTINATION"], "s3://my-mlflow-artifacts");
    assert.equal(environment["MLFLOW_LOGGING_LEVEL"], "DEBUG");
    assert.equal(environment["MLFLOW_CONFIGURE_LOGGING"], "true");
  });

  test("has an Ingress to the Service, with a host that MLflow accepts", () => {
    const wanted = inputs(serverNamed("mlflow"), databases);
    const ingress = all(wanted).find(({ kind }) => kind === "Ingress");
    const text = JSON.stringify(ingress);
    assert.match(text, new RegExp(`"service":{"name":"mlflow","port":{"number":${port}}}`));
    const environment = environmentOf(deploymentOf(wanted));
    assert.ok(environment["MLFLOW_SERVER_ALLOWED_HOSTS"]?.split(",").includes("mlflow.example.com"));
    assert.equal(environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"], "https://mlflow.example.com");
  });
});

function isServer(document: unknown): boolean {
  return isObject(document) && document["kind"] === "MlflowServer";
}

function problemsOf(document: unknown): string {
  const result = validate(document);
  return "problems" in result ? result.problems.join("\n") : "";
}

function serverNamed(name: string): MlflowServer {
  for (const document of documents) {
    const result = validate(document);
    if ("server" in result && result.server.metadata.name === name) return result.server;
  }
  throw new Error(`The page has no valid MlflowServer ${name}.`);
}

/** Whether the CRD has `spec.<path>`. */
function exists(path: string): boolean {
  let at: unknown = resourceSchema();
  for (const step of ["spec", ...path.split(".")]) {
    const properties = isObject(at) ? at["properties"] : undefined;
    at = isObject(properties) ? properties[step] : undefined;
  }
  return at !== undefined;
}
